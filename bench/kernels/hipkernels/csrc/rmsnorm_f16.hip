#include "norm.hpp"

extern "C" int hipkernels_rmsnorm_f16(const __half* x, const __half* weight, __half* out, int rows, int columns, float eps) {
  rmsnorm<<<rows, kThreads>>>(x, weight, out, columns, eps);
  return hipGetLastError();
}
