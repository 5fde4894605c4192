#include "norm.hpp"

extern "C" int hipkernels_rmsnorm_f32(const float* x, const float* weight, float* out, int rows, int columns, float eps) {
  rmsnorm<<<rows, kThreads>>>(x, weight, out, columns, eps);
  return hipGetLastError();
}
