#pragma once

#include "common.hpp"

// One block a row: x divided by its root mean square, times weight.
template <typename T>
__global__ void rmsnorm(const T* x, const T* weight, T* out, int columns, float eps) {
  const T* row = x + static_cast<std::size_t>(blockIdx.x) * columns;
  T* target = out + static_cast<std::size_t>(blockIdx.x) * columns;
  float sum = 0.0f;
  for (int i = threadIdx.x; i < columns; i += kThreads) sum += widen(row[i]) * widen(row[i]);
  const float scale = rsqrtf(over_block(sum, Sum{}) / columns + eps);
  for (int i = threadIdx.x; i < columns; i += kThreads) target[i] = narrow<T>(widen(row[i]) * scale * widen(weight[i]));
}

// One block a row: mean 0 and variance 1, times weight, plus bias.
template <typename T>
__global__ void layernorm(const T* x, const T* weight, const T* bias, T* out, int columns, float eps) {
  const T* row = x + static_cast<std::size_t>(blockIdx.x) * columns;
  T* target = out + static_cast<std::size_t>(blockIdx.x) * columns;
  float sum = 0.0f, squares = 0.0f;
  for (int i = threadIdx.x; i < columns; i += kThreads) {
    const float value = widen(row[i]);
    sum += value;
    squares += value * value;
  }
  const float mean = over_block(sum, Sum{}) / columns;
  const float scale = rsqrtf(over_block(squares, Sum{}) / columns - mean * mean + eps);
  for (int i = threadIdx.x; i < columns; i += kThreads) {
    target[i] = narrow<T>((widen(row[i]) - mean) * scale * widen(weight[i]) + widen(bias[i]));
  }
}
