// Memory for Asio's handlers that an object waits with again and again: in the object itself, so that a wait neither
// allocates nor fails where there is no memory left. One thread.
#pragma once

#include <array>
#include <cstddef>
#include <new>

namespace sidecar {

class handler_memory {
public:
    handler_memory() = default;
    handler_memory(const handler_memory&) = delete;
    handler_memory& operator=(const handler_memory&) = delete;

    void* take(std::size_t size) {
        for (auto& each : slots_) {
            if (each.taken || size > slot_bytes) continue;
            each.taken = true;
            return each.bytes.data();
        }
        return ::operator new(size);
    }
    void give_back(void* memory) noexcept {
        for (auto& each : slots_)
            if (memory == each.bytes.data()) return void(each.taken = false);
        ::operator delete(memory);
    }

    // What boost::asio::bind_allocator is given.
    template <class T>
    class allocator {
    public:
        using value_type = T;
        explicit allocator(handler_memory& from) noexcept : from_(&from) {}
        template <class U>
        allocator(const allocator<U>& other) noexcept : from_(other.from_) {}
        T* allocate(std::size_t n) { return static_cast<T*>(from_->take(n * sizeof(T))); }
        void deallocate(T* memory, std::size_t) noexcept { from_->give_back(memory); }
        template <class U>
        bool operator==(const allocator<U>& other) const noexcept {
            return from_ == other.from_;
        }

    private:
        template <class>
        friend class allocator;
        handler_memory* from_;
    };
    allocator<std::byte> get() noexcept { return allocator<std::byte>(*this); }

private:
    static constexpr std::size_t slot_bytes = 512;
    struct slot {
        alignas(std::max_align_t) std::array<std::byte, slot_bytes> bytes;
        bool taken = false;
    };
    std::array<slot, 4> slots_; // a timer that is set anew has several on their way out
};

} // namespace sidecar
