// SPDX-License-Identifier: Apache-2.0
#include "server/http/request_scope.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <random>

#include "base/log.h"
#include "config/limits.h"
#include "server/http/json_writer.h"

namespace engram {
namespace {

// Sixteen hex digits, not secret, only different.
std::string RandomId() {
  thread_local std::mt19937_64 random{std::random_device{}()};
  char text[20];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(random()));
  return text;
}

// An id goes into headers, logs and JSON: printable ASCII, and not too much of it.
std::string CleanId(std::string_view id) {
  std::string clean(id.substr(0, limits::kRequestIdBytesMax));
  for (char& c : clean) {
    if (c <= 0x20 || c >= 0x7f) c = '_';
  }
  return clean;
}

// Bounded: a client must not be able to make up label values.
std::string MethodLabel(const std::string& method) {
  static constexpr std::array<std::string_view, 7> kKnown = {"GET",    "HEAD",    "POST", "PUT",
                                                             "DELETE", "OPTIONS", "PATCH"};
  return std::find(kKnown.begin(), kKnown.end(), method) != kKnown.end() ? method : "other";
}

std::vector<double> DurationBounds() { return {0.001, 0.01, 0.1, 0.5, 1, 5, 10, 30, 60, 300}; }

}  // namespace

HttpResponse ErrorResponse(const HttpError& error) {
  JsonWriter json;
  json.BeginObject().Key("error").BeginObject();
  json.StringField("message", error.message);
  json.StringField("type", error.type);
  json.Key("param");
  error.param.has_value() ? json.String(*error.param) : json.Null();
  json.IntegerField("code", error.status);
  json.StringField("reason", error.reason).EndObject().EndObject();
  HttpResponse response{.status = error.status, .headers = {}, .body = json.Take()};
  if (error.status == 401) response.headers.emplace_back("www-authenticate", "Bearer");
  if (error.retry_later) {
    response.headers.emplace_back("retry-after", std::to_string(limits::kRetryAfter.count()));
  }
  // OpenAI's clients retry every 5xx unless told that it would not help.
  if (error.status >= 500 && !error.retry_later) {
    response.headers.emplace_back("x-should-retry", "false");
  }
  return response;
}

RequestScope::RequestScope(std::shared_ptr<HttpExchange> exchange, std::string route,
                           MetricsRegistry* metrics, const Clock* clock)
    : exchange_(std::move(exchange)),
      route_(std::move(route)),
      metrics_(metrics),
      clock_(clock),
      start_(clock->Now()) {
  id_ = CleanId(request().Header("x-request-id"));
  id_from_header_ = !id_.empty();
  if (!id_from_header_) id_ = RandomId();
}

void RequestScope::SetIdFromBody(const std::string& id) {
  if (!id_from_header_ && !id.empty()) id_ = CleanId(id);
}

void RequestScope::Respond(HttpResponse response) {
  status_ = response.status;
  response.headers.emplace_back("x-request-id", id_);
  exchange_->Respond(std::move(response));
}

void RequestScope::StartStream(HttpResponse head) {
  status_ = head.status;
  head.headers.emplace_back("x-request-id", id_);
  exchange_->StartStream(std::move(head));
}

RequestScope::~RequestScope() {
  const double seconds = std::chrono::duration<double>(clock_->Now() - start_).count();
  const std::string method = MethodLabel(request().method);
  metrics_
      ->AddCounter("http_requests_total", "HTTP requests by route, method and class of status.",
                   {{"handler", route_},
                    {"method", method},
                    {"status", std::to_string(status_ / 100) + "xx"}})
      ->Add();
  metrics_
      ->AddHistogram("http_request_duration_seconds",
                     "Time from a request's last byte to the end of its answer, by route.",
                     DurationBounds(), {{"handler", route_}, {"method", method}})
      ->Observe(seconds);
  if (status_ == 499) {
    metrics_
        ->AddCounter("engram:http_requests_client_disconnected_total",
                     "Requests whose client left before the answer was complete.")
        ->Add();
  }
  if (route_.starts_with("/v1/")) {
    LOG_INFO("{} {} {} {:.1f} ms request_id={}", method, route_, status_, seconds * 1e3, id_);
  }
}

}  // namespace engram
