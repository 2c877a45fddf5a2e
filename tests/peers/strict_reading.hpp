// What a strict reader finds in the bytes that a proxy has sent on: the sidecar's own reading judges, since what that
// takes has been made clean.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace peers {

// How many requests there are; nullopt: something else is there, too.
std::optional<int> count_requests(std::string_view bytes);
bool is_clean_request(std::string_view bytes);
bool is_clean_answer(std::string_view bytes); // one, final, whole

// Behind interim answers.
std::string_view final_answer(std::string_view bytes);

// A message as one would understand it: names in lower case and in order, framing and what proxies like to add aside.
std::string meaning_of(std::string_view bytes);

} // namespace peers
