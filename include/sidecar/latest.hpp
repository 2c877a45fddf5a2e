// The newest of something immutable, handed from one thread to many. A reader keeps its own copy of the pointer and
// looks at one atomic counter to see whether it is still the newest; only then it takes the lock.
// (std::atomic<std::shared_ptr> of libstdc++ 12 is neither lock-free nor clean under ThreadSanitizer.)
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <iterator>
#include <memory>
#include <mutex>
#include <vector>

namespace sidecar {

template <class T>
class latest {
public:
    latest() = default;
    explicit latest(std::shared_ptr<const T> first) { publish(std::move(first)); }

    // Any thread. Values replaced are freed here and by free_replaced(), never by the last reader: freeing a million
    // entries must not hold up a request.
    void publish(std::shared_ptr<const T> next) {
        replaced free_outside_the_lock;
        std::lock_guard lock(mutex_);
        if (current_) retired_.push_back(std::move(current_));
        current_ = std::move(next);
        version_.fetch_add(1, std::memory_order_release);
        free_outside_the_lock = take_unread();
    }

    // Any thread: those that no reader has any more, for who needs the memory before the next is published.
    void free_replaced() {
        replaced free_outside_the_lock;
        std::lock_guard lock(mutex_);
        free_outside_the_lock = take_unread();
    }

    std::shared_ptr<const T> get() const {
        std::lock_guard lock(mutex_);
        return current_;
    }

    std::uint64_t version() const noexcept { return version_.load(std::memory_order_acquire); }

private:
    using replaced = std::vector<std::shared_ptr<const T>>;

    replaced take_unread() {
        const auto unread =
            std::partition(retired_.begin(), retired_.end(), [](const auto& old) { return old.use_count() > 1; });
        replaced taken(std::make_move_iterator(unread), std::make_move_iterator(retired_.end()));
        retired_.erase(unread, retired_.end());
        return taken;
    }

    mutable std::mutex mutex_;
    std::shared_ptr<const T> current_;
    replaced retired_;
    std::atomic<std::uint64_t> version_{0};
};

// One reader's copy. Not shared between threads.
template <class T>
class latest_reader {
public:
    explicit latest_reader(const latest<T>& source) : source_(&source) {}

    // Stays valid until the next call.
    const std::shared_ptr<const T>& get() {
        if (const auto version = source_->version(); version != seen_) {
            copy_ = source_->get();
            seen_ = version;
        }
        return copy_;
    }

private:
    const latest<T>* source_;
    std::shared_ptr<const T> copy_;
    std::uint64_t seen_ = 0;
};

} // namespace sidecar
