// result<T>: a value, or a failure that says in words what was wrong.
#pragma once

#include <boost/system/result.hpp>

#include <stdexcept>
#include <string>

namespace sidecar {

// Written for the person who reads the log: lower case, facts, no full stop.
struct failure {
    std::string message;
};

[[noreturn]] inline void throw_exception_from_error(const failure& error, const boost::source_location&) {
    throw std::runtime_error(error.message);
}

template <class T>
using result = boost::system::result<T, failure>;

} // namespace sidecar
