// Tells when the configuration file has changed: written, replaced by a rename, or swapped by the kubelet, which turns
// the symlink `..data` of a ConfigMap's directory. So the directory is watched and not the file: a watch on the file
// dies with the first swap. Control thread.
#pragma once

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>

namespace sidecar {

class file_watch {
public:
    struct periods {
        std::chrono::milliseconds settle{200};       // quiet for so long: one change, however many events
        std::chrono::milliseconds look_again{5'000}; // looked at without an event: network file systems send none
    };

    // `on_change` is called on the io_context's thread, once for each change of what the path leads to. A file that is
    // missing for a while is a change only when it is there again.
    file_watch(boost::asio::io_context&, std::filesystem::path file, std::function<void()> on_change, periods);
    ~file_watch();
    file_watch(const file_watch&) = delete;
    file_watch& operator=(const file_watch&) = delete;

private:
    class watching;
    std::shared_ptr<watching> watching_;
};

} // namespace sidecar
