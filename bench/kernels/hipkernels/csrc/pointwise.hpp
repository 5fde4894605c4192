#pragma once

#include "common.hpp"

// silu(gate) * up, of rows that hold gate and up side by side.
template <typename T>
__global__ void silu_mul(const T* x, T* out, int columns) {
  const T* row = x + static_cast<std::size_t>(blockIdx.x) * 2 * columns;
  T* target = out + static_cast<std::size_t>(blockIdx.x) * columns;
  for (int i = threadIdx.x; i < columns; i += kThreads) {
    const float gate = widen(row[i]);
    target[i] = narrow<T>(gate / (1.0f + expf(-gate)) * widen(row[columns + i]));
  }
}

template <typename T>
__global__ void gelu(const T* x, T* out, int count) {
  const int i = blockIdx.x * kThreads + threadIdx.x;
  if (i >= count) return;
  const float value = widen(x[i]);
  out[i] = narrow<T>(0.5f * value * (1.0f + erff(value * 0.70710678f)));
}

// Rotary embedding, halves paired: one block a token and head.
template <typename T>
__global__ void rope(T* x, const int* positions, int heads, int half, float base) {
  T* head = x + static_cast<std::size_t>(blockIdx.x) * 2 * half;
  const float position = positions[blockIdx.x / heads];
  for (int i = threadIdx.x; i < half; i += kThreads) {
    float sine, cosine;
    sincosf(position * powf(base, -static_cast<float>(i) / half), &sine, &cosine);
    const float a = widen(head[i]), b = widen(head[half + i]);
    head[i] = narrow<T>(a * cosine - b * sine);
    head[half + i] = narrow<T>(a * sine + b * cosine);
  }
}
