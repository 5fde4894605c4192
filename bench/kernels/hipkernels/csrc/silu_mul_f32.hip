#include "pointwise.hpp"

extern "C" int hipkernels_silu_mul_f32(const float* x, float* out, int rows, int columns) {
  silu_mul<<<rows, kThreads>>>(x, out, columns);
  return hipGetLastError();
}
