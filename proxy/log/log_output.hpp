// The log's descriptor: a pipe, a terminal, a file or a socket. Its writer thread alone writes; while it waits, it can
// be told to end. The descriptor's flags stay as they are: others may share them.
#pragma once

#include "proxy/log/doorbell.hpp"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <string_view>

namespace sidecar {

class log_output {
public:
    log_output(int descriptor, doorbell& bell);

    // Waits as long as it takes, unless told to end. How many bytes went out; less than all: the other end is gone or
    // the time is over. What is left of the line is then to be dropped: the next call begins a new one.
    std::size_t write(std::string_view bytes);

    // Whether the last write went out whole.
    bool works() const noexcept { return works_; }

    // Another thread, once, before it rings the bell: writes are given up when the time is over.
    void end_within(std::chrono::milliseconds);

private:
    enum class kind : unsigned char { file, socket, other };

    std::size_t write_whole(std::string_view bytes);
    // Bytes written, or -errno.
    std::ptrdiff_t write_some(std::string_view);
    // False: give up.
    bool wait_until_writable();
    std::chrono::milliseconds patience() const noexcept; // negative: for ever

    const int descriptor_;
    const kind kind_;
    doorbell& bell_;
    bool works_ = true;
    bool cut_a_line_ = false;                               // and lost the rest of it
    std::atomic<std::chrono::steady_clock::rep> end_at_{0}; // 0: never
};

} // namespace sidecar
