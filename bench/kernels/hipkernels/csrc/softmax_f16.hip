#include "softmax.hpp"

extern "C" int hipkernels_softmax_f16(const __half* x, __half* out, int rows, int columns) {
  softmax<<<rows, kThreads>>>(x, out, columns);
  return hipGetLastError();
}
