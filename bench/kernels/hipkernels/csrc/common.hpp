#pragma once

#include <hip/hip_bf16.h>
#include <hip/hip_fp16.h>
#include <hip/hip_runtime.h>

#include <cstddef>

constexpr int kThreads = 256;

template <typename T>
__device__ inline float widen(T value) {
  return static_cast<float>(value);
}

template <typename T>
__device__ inline T narrow(float value) {
  return static_cast<T>(value);
}

struct Sum {
  __device__ float operator()(float a, float b) const { return a + b; }
};

struct Max {
  __device__ float operator()(float a, float b) const { return a > b ? a : b; }
};

// The value of `combine` over all threads of a block, for all of them.
template <typename Combine>
__device__ inline float over_block(float value, Combine combine) {
  __shared__ float partial[kThreads];
  partial[threadIdx.x] = value;
  __syncthreads();
  for (int step = kThreads / 2; step > 0; step /= 2) {
    if (threadIdx.x < step) partial[threadIdx.x] = combine(partial[threadIdx.x], partial[threadIdx.x + step]);
    __syncthreads();
  }
  const float result = partial[0];
  __syncthreads();
  return result;
}
