#include "softmax.hpp"

extern "C" int hipkernels_softmax_f32(const float* x, float* out, int rows, int columns) {
  softmax<<<rows, kThreads>>>(x, out, columns);
  return hipGetLastError();
}
