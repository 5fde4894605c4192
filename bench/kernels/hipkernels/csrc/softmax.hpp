#pragma once

#include "common.hpp"

// One block a row, shifted by the row's largest value.
template <typename T>
__global__ void softmax(const T* x, T* out, int columns) {
  const T* row = x + static_cast<std::size_t>(blockIdx.x) * columns;
  T* target = out + static_cast<std::size_t>(blockIdx.x) * columns;
  float largest = -3.4e38f;
  for (int i = threadIdx.x; i < columns; i += kThreads) largest = Max{}(largest, widen(row[i]));
  largest = over_block(largest, Max{});
  float sum = 0.0f;
  for (int i = threadIdx.x; i < columns; i += kThreads) sum += expf(widen(row[i]) - largest);
  sum = over_block(sum, Sum{});
  for (int i = threadIdx.x; i < columns; i += kThreads) target[i] = narrow<T>(expf(widen(row[i]) - largest) / sum);
}
