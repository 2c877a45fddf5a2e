// Memory for Asio's handlers that an object waits with again and again: kept for it, so that a wait neither allocates
// nor fails where there is no memory left. It lives as long as the last handler in it, which may be destroyed together
// with the io_context, after the object. One thread.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <new>
#include <utility>

namespace sidecar {

class handler_memory {
    static constexpr std::size_t slot_bytes = 512;
    struct slot {
        alignas(std::max_align_t) std::array<std::byte, slot_bytes> bytes;
        bool taken = false;
    };
    using slots = std::array<slot, 4>; // a timer that is set anew has several on their way out

public:
    handler_memory() : slots_(std::make_shared<slots>()) {}
    handler_memory(const handler_memory&) = delete;
    handler_memory& operator=(const handler_memory&) = delete;

    // What boost::asio::bind_allocator is given.
    template <class T>
    class allocator {
    public:
        using value_type = T;
        explicit allocator(std::shared_ptr<slots> from) noexcept : from_(std::move(from)) {}
        template <class U>
        allocator(const allocator<U>& other) noexcept : from_(other.from_) {}

        T* allocate(std::size_t n) {
            for (auto& each : *from_) {
                if (each.taken || n * sizeof(T) > slot_bytes) continue;
                each.taken = true;
                return reinterpret_cast<T*>(each.bytes.data());
            }
            return static_cast<T*>(::operator new(n * sizeof(T)));
        }
        void deallocate(T* memory, std::size_t) noexcept {
            for (auto& each : *from_) {
                if (reinterpret_cast<T*>(each.bytes.data()) != memory) continue;
                each.taken = false;
                return;
            }
            ::operator delete(memory);
        }
        template <class U>
        bool operator==(const allocator<U>& other) const noexcept {
            return from_ == other.from_;
        }

    private:
        template <class>
        friend class allocator;
        std::shared_ptr<slots> from_;
    };
    allocator<std::byte> get() noexcept { return allocator<std::byte>(slots_); }

private:
    std::shared_ptr<slots> slots_;
};

} // namespace sidecar
