#include "device.hpp"

constexpr int kThreads = 256;

// One block a row; the sum of squares is reduced in shared memory.
__global__ void labkernels_rmsnorm_kernel(const float* x, const float* weight, float* out, int columns, float eps) {
  __shared__ float partial[kThreads];
  const float* row = x + static_cast<std::size_t>(blockIdx.x) * columns;
  float sum = 0.0f;
  for (int i = threadIdx.x; i < columns; i += kThreads) sum += row[i] * row[i];
  partial[threadIdx.x] = sum;
  __syncthreads();
  for (int step = kThreads / 2; step > 0; step /= 2) {
    if (threadIdx.x < step) partial[threadIdx.x] += partial[threadIdx.x + step];
    __syncthreads();
  }
  const float scale = rsqrtf(partial[0] / columns + eps);
  float* target = out + static_cast<std::size_t>(blockIdx.x) * columns;
  for (int i = threadIdx.x; i < columns; i += kThreads) target[i] = row[i] * scale * weight[i];
}

extern "C" int labkernels_rmsnorm(const float* x, const float* weight, float* out, int rows, int columns, float eps) {
  hipError_t error = hipSuccess;
  const std::size_t count = static_cast<std::size_t>(rows) * columns;
  Buffer dx(error, count), dweight(error, columns), dout(error, count);
  dx.write(x);
  dweight.write(weight);
  dout.write(out);
  if (error == hipSuccess) {
    labkernels_rmsnorm_kernel<<<rows, kThreads>>>(dx.get(), dweight.get(), dout.get(), columns, eps);
    error = hipGetLastError();
  }
  dout.read(out);
  return error;
}
