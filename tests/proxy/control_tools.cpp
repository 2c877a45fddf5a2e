#include "tests/proxy/control_tools.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <thread>

namespace sidecar::testing {

using steady = std::chrono::steady_clock;

bool run_until(boost::asio::io_context& io, const std::function<bool()>& happened, std::chrono::milliseconds deadline) {
    const auto end = steady::now() + deadline;
    while (!happened()) {
        if (steady::now() >= end) return false;
        if (io.stopped()) io.restart();
        io.run_one_for(5ms);
    }
    return true;
}

bool wait_until(const std::function<bool()>& happened, std::chrono::milliseconds deadline) {
    const auto end = steady::now() + deadline;
    while (!happened()) {
        if (steady::now() >= end) return false;
        std::this_thread::sleep_for(2ms);
    }
    return true;
}

memory_file::memory_file() : descriptor(::memfd_create("log", MFD_CLOEXEC)) {
    if (descriptor < 0) throw std::runtime_error("memfd_create");
}

memory_file::~memory_file() { ::close(descriptor); }

std::string memory_file::text() const {
    std::string read(1 << 20, '\0');
    const auto n = ::pread(descriptor, read.data(), read.size(), 0);
    read.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
    return read;
}

std::size_t readable_log::count(const std::string& part) const {
    const auto all = text();
    std::size_t found = 0;
    for (auto at = all.find(part); at != std::string::npos; at = all.find(part, at + part.size())) ++found;
    return found;
}

temporary_directory::temporary_directory() {
    auto name = (std::filesystem::temp_directory_path() / "sidecar-test-XXXXXX").string();
    if (!::mkdtemp(name.data())) throw std::runtime_error("mkdtemp");
    path = name;
}

temporary_directory::~temporary_directory() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
}

void write_file(const std::filesystem::path& file, const std::string& content) {
    std::ofstream(file, std::ios::binary | std::ios::trunc) << content;
}

} // namespace sidecar::testing
