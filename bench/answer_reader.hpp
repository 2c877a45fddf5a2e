// Follows an HTTP/1.1 answer to its end, so that the load knows when to send the next request. Trusts the sender.
#pragma once

#include <algorithm>
#include <charconv>
#include <string>
#include <string_view>

namespace bench {

class answer_reader {
public:
    void begin(bool to_head) { *this = answer_reader(to_head); }
    void feed(std::string_view bytes) {
        while (!bytes.empty() && !done()) {
            if (part_ == part::head)
                bytes = take_head(bytes);
            else if (part_ == part::chunk_line)
                bytes = take_chunk_line(bytes);
            else
                bytes = take_body(bytes);
        }
    }

    bool done() const { return part_ == part::end; }
    int status() const { return status_; }
    bool closes() const { return closes_; }

    answer_reader() = default;

private:
    enum class part { head, body, chunk_line, chunk, end };

    explicit answer_reader(bool to_head) : to_head_(to_head) {}

    std::string_view take_head(std::string_view bytes) {
        std::string_view all = bytes;
        if (!held_.empty()) all = held_.append(bytes);
        const auto end = all.find("\r\n\r\n");
        if (end == std::string_view::npos) {
            if (held_.empty()) held_ = all;
            return {};
        }
        const auto head = all.substr(0, end + 4);
        const auto rest = bytes.substr(bytes.size() - (all.size() - head.size()));
        read_head(head);
        held_.clear();
        return rest;
    }

    void read_head(std::string_view head) {
        std::from_chars(head.data() + 9, head.data() + 12, status_);
        if (status_ < 200) return; // the answer is still to come
        closes_ = field(head, "\nconnection:").starts_with("close");
        const auto length = field(head, "\ncontent-length:");
        left_ = 0;
        std::from_chars(length.data(), length.data() + length.size(), left_);
        if (to_head_ || status_ == 304 || status_ == 204)
            part_ = part::end;
        else if (field(head, "\ntransfer-encoding:").starts_with("chunked"))
            part_ = part::chunk_line;
        else
            part_ = left_ == 0 ? part::end : part::body;
    }

    static std::string_view field(std::string_view head, std::string_view name) {
        const auto same = [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a | 0x20 : a) == b; };
        const auto at = std::search(head.begin(), head.end(), name.begin(), name.end(), same);
        if (at == head.end()) return {};
        auto value = head.substr(static_cast<std::size_t>(at - head.begin()) + name.size());
        value.remove_prefix(std::min(value.find_first_not_of(' '), value.size()));
        return value.substr(0, value.find('\r'));
    }

    // A size line, the blank line after a chunk, or the end's.
    std::string_view take_chunk_line(std::string_view bytes) {
        const auto end = bytes.find('\n');
        held_.append(bytes.substr(0, end));
        if (end == std::string_view::npos) return {};
        if (held_ == "\r") {
            if (last_chunk_) part_ = part::end;
        } else {
            left_ = 0;
            std::from_chars(held_.data(), held_.data() + held_.size(), left_, 16);
            last_chunk_ = left_ == 0;
            if (!last_chunk_) part_ = part::chunk;
        }
        held_.clear();
        return bytes.substr(end + 1);
    }

    std::string_view take_body(std::string_view bytes) {
        const auto n = std::min(left_, bytes.size());
        left_ -= n;
        if (left_ == 0) part_ = part_ == part::body ? part::end : part::chunk_line;
        return bytes.substr(n);
    }

    part part_ = part::head;
    bool to_head_ = false;
    bool last_chunk_ = false;
    bool closes_ = false;
    int status_ = 0;
    std::size_t left_ = 0;
    std::string held_;
};

} // namespace bench
