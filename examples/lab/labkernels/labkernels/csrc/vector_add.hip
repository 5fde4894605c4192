#include "device.hpp"

__global__ void labkernels_vector_add_kernel(const float* a, const float* b, float* out, int count) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < count) out[i] = a[i] + b[i];
}

extern "C" int labkernels_vector_add(const float* a, const float* b, float* out, int count) {
  hipError_t error = hipSuccess;
  Buffer da(error, count), db(error, count), dout(error, count);
  da.write(a);
  db.write(b);
  dout.write(out);
  if (error == hipSuccess) {
    labkernels_vector_add_kernel<<<(count + 255) / 256, 256>>>(da.get(), db.get(), dout.get(), count);
    error = hipGetLastError();
  }
  dout.read(out);
  return error;
}
