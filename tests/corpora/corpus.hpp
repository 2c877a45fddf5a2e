// Reads the cases that stand in this folder as data; README.md tells their form.
#pragma once

#include <string>
#include <vector>

namespace corpora {

enum class kind { request, response, chunks, requests, responses, json };

enum class verdict {
    passes,  // as it is, or as `expected`
    refused, // with `status`, if that is not 0
    counted, // so many messages are taken: `messages`
    beyond,  // JSON that a reader may refuse
};

struct one_case {
    std::string section;
    std::string name; // the section's, and the case as it stands in the file
    corpora::kind kind{};
    corpora::verdict verdict{};
    std::string bytes;
    std::string expected; // if it passes
    int status = 0;
    int messages = 0;
};

std::vector<one_case> http_grammar();
std::vector<one_case> smuggling();
std::vector<one_case> json();

} // namespace corpora
