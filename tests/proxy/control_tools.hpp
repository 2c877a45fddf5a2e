// What the tests of the control plane share: an io_context that is run until something has happened, a log that can be
// read, files that are gone after the test.
#pragma once

#include "sidecar/log.hpp"

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <filesystem>
#include <functional>
#include <string>

namespace sidecar::testing {

using namespace std::chrono_literals;

// Runs `io` until `happened`; false if it has not within the deadline.
bool run_until(boost::asio::io_context& io, const std::function<bool()>& happened,
               std::chrono::milliseconds deadline = 20s);

// Waits for another thread's doing.
bool wait_until(const std::function<bool()>& happened, std::chrono::milliseconds deadline = 20s);

struct memory_file {
    memory_file();
    ~memory_file();
    memory_file(const memory_file&) = delete;
    memory_file& operator=(const memory_file&) = delete;

    std::string text() const;

    int descriptor;
};

class readable_log {
public:
    std::string text() const { return file_.text(); }
    std::size_t count(const std::string& part) const; // how often it occurs

private:
    memory_file file_; // outlives the log, which writes its last lines in the end

public:
    sidecar::log log{file_.descriptor, log_level::debug};
};

class temporary_directory {
public:
    temporary_directory();
    ~temporary_directory();
    temporary_directory(const temporary_directory&) = delete;
    temporary_directory& operator=(const temporary_directory&) = delete;

    std::filesystem::path path;
};

void write_file(const std::filesystem::path&, const std::string& content);

} // namespace sidecar::testing
