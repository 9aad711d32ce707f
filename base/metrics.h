// SPDX-License-Identifier: Apache-2.0
// Counters, gauges and histograms, and their Prometheus text form (exposition format 0.0.4).
// Debian's prometheus-cpp brings an HTTP server of its own; these few lines bring none.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace engram {

// Only goes up. Thread-safe.
class Counter {
 public:
  void Add(double by = 1) { value_.fetch_add(by, std::memory_order_relaxed); }
  double value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_{0};
};

// Thread-safe.
class Gauge {
 public:
  void Set(double to) { value_.store(to, std::memory_order_relaxed); }
  void Add(double by) { value_.fetch_add(by, std::memory_order_relaxed); }
  double value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_{0};
};

// Thread-safe; a reader may see an observation in one bucket before it is in the sum.
class Histogram {
 public:
  // `upper_bounds` in ascending order, without +Inf.
  explicit Histogram(std::vector<double> upper_bounds);
  void Observe(double value);
  std::uint64_t count() const;

 private:
  friend class MetricsRegistry;
  const std::vector<double> upper_bounds_;
  std::vector<std::atomic<std::uint64_t>> buckets_;  // [upper_bounds + 1], not cumulative
  std::atomic<double> sum_{0};
};

using MetricLabels = std::vector<std::pair<std::string, std::string>>;

// Owns the metrics. Add* are for start-up or first use; pointers stay valid as long as the
// registry. The same name and labels again gives the same metric. Thread-safe.
class MetricsRegistry {
 public:
  Counter* AddCounter(const std::string& name, const std::string& help, MetricLabels labels = {});
  Gauge* AddGauge(const std::string& name, const std::string& help, MetricLabels labels = {});
  // REQUIRES: one name has the same bounds everywhere.
  Histogram* AddHistogram(const std::string& name, const std::string& help,
                          std::vector<double> upper_bounds, MetricLabels labels = {});

  // All metrics, families in order of name.
  std::string RenderPrometheus() const;

 private:
  enum class Kind { kCounter, kGauge, kHistogram };
  struct Family {
    Kind kind;
    std::string help;
    std::map<MetricLabels, Counter*> counters;
    std::map<MetricLabels, Gauge*> gauges;
    std::map<MetricLabels, Histogram*> histograms;
  };

  Family& GetFamily(const std::string& name, const std::string& help, Kind kind);

  mutable std::mutex mutex_;
  // State below is protected by mutex_.
  std::map<std::string, Family> families_;
  std::deque<Counter> counters_;
  std::deque<Gauge> gauges_;
  std::deque<Histogram> histograms_;
};

}  // namespace engram
