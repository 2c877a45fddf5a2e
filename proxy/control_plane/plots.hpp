// The admin page's plots of the last fifteen minutes, as SVG and HTML. Pure.
#pragma once

#include "proxy/control_plane/history.hpp"

#include <string>

namespace sidecar {

std::string rate_plot(const history&, time_point now);      // stacked: good, 4xx, sent away, failed
std::string latency_plot(const history&, time_point now);   // median and 99 of 100, on a log scale
std::string not_ready_plot(const history&, time_point now); // how many resources; empty: none ever

} // namespace sidecar
