#include "pointwise.hpp"

extern "C" int hipkernels_silu_mul_bf16(const __hip_bfloat16* x, __hip_bfloat16* out, int rows, int columns) {
  silu_mul<<<rows, kThreads>>>(x, out, columns);
  return hipGetLastError();
}
