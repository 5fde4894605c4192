#include "norm.hpp"

extern "C" int hipkernels_layernorm_f16(const __half* x, const __half* weight, const __half* bias,
                               __half* out, int rows, int columns, float eps) {
  layernorm<<<rows, kThreads>>>(x, weight, bias, out, columns, eps);
  return hipGetLastError();
}
