#pragma once

#include <hip/hip_runtime.h>

#include <cstddef>

// Which compiler made this library, readable without running it.
#ifndef LABKERNELS_COMPILER
#define LABKERNELS_COMPILER __VERSION__
#endif
extern "C" __attribute__((used, visibility("default"))) const char labkernels_compiler[] =
    "labkernels compiler: " LABKERNELS_COMPILER;

// A device buffer that frees itself; `error` is sticky across the calls of one launch.
class Buffer {
 public:
  Buffer(hipError_t& error, std::size_t count) : error_(error), bytes_(count * sizeof(float)) {
    if (error_ == hipSuccess) error_ = hipMalloc(&data_, bytes_);
  }
  ~Buffer() {
    if (data_ != nullptr) (void)hipFree(data_);
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  void write(const float* from) {
    if (error_ == hipSuccess) error_ = hipMemcpy(data_, from, bytes_, hipMemcpyHostToDevice);
  }
  void read(float* to) {
    if (error_ == hipSuccess) error_ = hipDeviceSynchronize();
    if (error_ == hipSuccess) error_ = hipMemcpy(to, data_, bytes_, hipMemcpyDeviceToHost);
  }
  float* get() { return static_cast<float*>(data_); }

 private:
  hipError_t& error_;
  std::size_t bytes_;
  void* data_ = nullptr;
};
