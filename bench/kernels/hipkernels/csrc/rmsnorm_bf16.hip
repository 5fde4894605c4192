#include "norm.hpp"

extern "C" int hipkernels_rmsnorm_bf16(const __hip_bfloat16* x, const __hip_bfloat16* weight, __hip_bfloat16* out, int rows, int columns, float eps) {
  rmsnorm<<<rows, kThreads>>>(x, weight, out, columns, eps);
  return hipGetLastError();
}
