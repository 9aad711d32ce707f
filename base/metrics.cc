// SPDX-License-Identifier: Apache-2.0
#include "base/metrics.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/check.h"

namespace engram {
namespace {

std::string Number(double value) {
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  char buffer[32];
  const auto result = std::to_chars(buffer, buffer + sizeof buffer, value);
  return std::string(buffer, result.ptr);
}

std::string Escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\' || c == '"') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out;
}

// {a="b",le="0.5"}, or nothing. `extra` is one more label, already rendered.
std::string LabelSet(const MetricLabels& labels, const std::string& extra = "") {
  std::string out;
  for (const auto& [name, value] : labels) {
    if (!out.empty()) out += ',';
    out += name + "=\"" + Escaped(value) + '"';
  }
  if (!extra.empty()) {
    if (!out.empty()) out += ',';
    out += extra;
  }
  return out.empty() ? "" : '{' + out + '}';
}

}  // namespace

Histogram::Histogram(std::vector<double> upper_bounds)
    : upper_bounds_(std::move(upper_bounds)), buckets_(upper_bounds_.size() + 1) {
  CHECK(std::is_sorted(upper_bounds_.begin(), upper_bounds_.end()));
}

void Histogram::Observe(double value) {
  const auto bound = std::lower_bound(upper_bounds_.begin(), upper_bounds_.end(), value);
  buckets_[bound - upper_bounds_.begin()].fetch_add(1, std::memory_order_relaxed);
  sum_.fetch_add(value, std::memory_order_relaxed);
}

std::uint64_t Histogram::count() const {
  std::uint64_t total = 0;
  for (const auto& bucket : buckets_) total += bucket.load(std::memory_order_relaxed);
  return total;
}

MetricsRegistry::Family& MetricsRegistry::GetFamily(const std::string& name,
                                                    const std::string& help, Kind kind) {
  auto [it, inserted] = families_.try_emplace(name);
  if (inserted) {
    it->second.kind = kind;
    it->second.help = help;
  }
  CHECK_MSG(it->second.kind == kind, name);
  return it->second;
}

Counter* MetricsRegistry::AddCounter(const std::string& name, const std::string& help,
                                     MetricLabels labels) {
  std::lock_guard lock(mutex_);
  Counter*& slot = GetFamily(name, help, Kind::kCounter).counters[std::move(labels)];
  if (slot == nullptr) slot = &counters_.emplace_back();
  return slot;
}

Gauge* MetricsRegistry::AddGauge(const std::string& name, const std::string& help,
                                 MetricLabels labels) {
  std::lock_guard lock(mutex_);
  Gauge*& slot = GetFamily(name, help, Kind::kGauge).gauges[std::move(labels)];
  if (slot == nullptr) slot = &gauges_.emplace_back();
  return slot;
}

Histogram* MetricsRegistry::AddHistogram(const std::string& name, const std::string& help,
                                         std::vector<double> upper_bounds, MetricLabels labels) {
  std::lock_guard lock(mutex_);
  Histogram*& slot = GetFamily(name, help, Kind::kHistogram).histograms[std::move(labels)];
  if (slot == nullptr) slot = &histograms_.emplace_back(std::move(upper_bounds));
  return slot;
}

std::string MetricsRegistry::RenderPrometheus() const {
  static constexpr const char* kKindNames[] = {"counter", "gauge", "histogram"};
  std::lock_guard lock(mutex_);
  std::string out;
  for (const auto& [name, family] : families_) {
    out += "# HELP " + name + ' ' + family.help + '\n';
    out += "# TYPE " + name + ' ' + kKindNames[static_cast<int>(family.kind)] + '\n';
    for (const auto& [labels, counter] : family.counters) {
      out += name + LabelSet(labels) + ' ' + Number(counter->value()) + '\n';
    }
    for (const auto& [labels, gauge] : family.gauges) {
      out += name + LabelSet(labels) + ' ' + Number(gauge->value()) + '\n';
    }
    for (const auto& [labels, histogram] : family.histograms) {
      std::uint64_t cumulative = 0;
      for (std::size_t i = 0; i < histogram->buckets_.size(); ++i) {
        cumulative += histogram->buckets_[i].load(std::memory_order_relaxed);
        const double bound =
            i < histogram->upper_bounds_.size() ? histogram->upper_bounds_[i] : INFINITY;
        out += name + "_bucket" + LabelSet(labels, "le=\"" + Number(bound) + '"') + ' ' +
               std::to_string(cumulative) + '\n';
      }
      out += name + "_sum" + LabelSet(labels) + ' ' + Number(histogram->sum_.load()) + '\n';
      out += name + "_count" + LabelSet(labels) + ' ' + std::to_string(cumulative) + '\n';
    }
  }
  return out;
}

}  // namespace engram
