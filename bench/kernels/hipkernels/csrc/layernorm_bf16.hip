#include "norm.hpp"

extern "C" int hipkernels_layernorm_bf16(const __hip_bfloat16* x, const __hip_bfloat16* weight, const __hip_bfloat16* bias,
                               __hip_bfloat16* out, int rows, int columns, float eps) {
  layernorm<<<rows, kThreads>>>(x, weight, bias, out, columns, eps);
  return hipGetLastError();
}
