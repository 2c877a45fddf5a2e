// A coroutine that starts when awaited and resumes its awaiter when it ends (symmetric transfer); `join` awaits two.
// asio::awaitable in its place costs more (docs/architecture.md). One thread.
#pragma once

#include "proxy/data_plane/frame_memory.hpp"

#include <coroutine>
#include <exception>
#include <optional>
#include <utility>

namespace sidecar {

template <class T>
class task;
class join;

namespace detail {

// Resumes `parent` when the last of those counted has ended.
struct join_point {
    std::coroutine_handle<> parent = std::noop_coroutine();
    int left = 0;
    std::coroutine_handle<> one_ended() noexcept {
        return --left == 0 ? parent : std::coroutine_handle<>(std::noop_coroutine());
    }
};

struct promise_core {
    std::coroutine_handle<> awaiter = std::noop_coroutine();
    join_point* joined = nullptr; // in place of the awaiter
    std::exception_ptr error;

    static void* operator new(std::size_t size) { return frame_memory::of_this_thread().take(size); }
    static void operator delete(void* frame, std::size_t size) noexcept {
        frame_memory::of_this_thread().give_back(frame, size);
    }

    std::suspend_always initial_suspend() noexcept { return {}; }

    struct resume_awaiter {
        bool await_ready() noexcept { return false; }
        template <class Promise>
        std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> ended) noexcept {
            auto& promise = ended.promise();
            return promise.joined ? promise.joined->one_ended() : promise.awaiter;
        }
        void await_resume() noexcept {}
    };
    resume_awaiter final_suspend() noexcept { return {}; }

    void unhandled_exception() noexcept { error = std::current_exception(); }
};

template <class T>
struct promise : promise_core {
    std::optional<T> value;
    task<T> get_return_object() noexcept;
    template <class U>
    void return_value(U&& result) {
        value.emplace(std::forward<U>(result));
    }
    T take() {
        if (error) std::rethrow_exception(error);
        return std::move(*value);
    }
};

template <>
struct promise<void> : promise_core {
    task<void> get_return_object() noexcept;
    void return_void() noexcept {}
    void take() {
        if (error) std::rethrow_exception(error);
    }
};

} // namespace detail

// Owns the frame: destroying a suspended task destroys what it holds.
template <class T = void>
class [[nodiscard]] task {
public:
    using promise_type = detail::promise<T>;
    using handle = std::coroutine_handle<promise_type>;

    explicit task(handle frame) noexcept : frame_(frame) {}
    task(task&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
    task& operator=(task&& other) noexcept {
        if (this != &other) {
            if (frame_) frame_.destroy();
            frame_ = std::exchange(other.frame_, nullptr);
        }
        return *this;
    }
    ~task() {
        if (frame_) frame_.destroy();
    }

    // For the outermost one, which nobody awaits: runs until it first waits.
    void start() { frame_.resume(); }
    bool done() const noexcept { return !frame_ || frame_.done(); }

    bool await_ready() const noexcept { return false; }
    std::coroutine_handle<> await_suspend(std::coroutine_handle<> awaiter) noexcept {
        frame_.promise().awaiter = awaiter;
        return frame_;
    }
    T await_resume() { return frame_.promise().take(); }

private:
    friend class join;
    handle frame_;
};

// join both(a, b); co_await both; - runs two tasks at the same time and goes on when both have ended. What the first
// throws is thrown, then what the second does; neither is stopped by that.
class [[nodiscard]] join {
public:
    join(task<>& first, task<>& second) noexcept : first_(first), second_(second) {}
    join(const join&) = delete;
    join& operator=(const join&) = delete;

    bool await_ready() const noexcept { return false; }
    std::coroutine_handle<> await_suspend(std::coroutine_handle<> parent) {
        point_.parent = parent;
        point_.left = 3; // this function counts, too: neither may resume the parent while it runs
        for (auto* each : {&first_, &second_}) {
            each->frame_.promise().joined = &point_;
            each->frame_.resume();
        }
        return point_.one_ended();
    }
    void await_resume() {
        first_.await_resume();
        second_.await_resume();
    }

private:
    task<>& first_;
    task<>& second_;
    detail::join_point point_;
};

namespace detail {
template <class T>
task<T> promise<T>::get_return_object() noexcept {
    return task<T>(std::coroutine_handle<promise<T>>::from_promise(*this));
}
inline task<void> promise<void>::get_return_object() noexcept {
    return task<void>(std::coroutine_handle<promise<void>>::from_promise(*this));
}
} // namespace detail

} // namespace sidecar
