#include "pointwise.hpp"

extern "C" int hipkernels_silu_mul_f16(const __half* x, __half* out, int rows, int columns) {
  silu_mul<<<rows, kThreads>>>(x, out, columns);
  return hipGetLastError();
}
