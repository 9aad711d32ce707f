// SPDX-License-Identifier: Apache-2.0
#include "server/http/http_api.h"

#include <array>
#include <utility>

#include "base/check.h"

namespace engram {
namespace {

enum class RouteId {
  kModels,
  kModel,
  kCompletions,
  kChat,
  kTokenize,
  kDetokenize,
  kHealth,
  kPing,
  kLive,
  kReady,
  kVersion,
  kLoad,
  kMetrics,
};

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// "%6d" → "m"; what is no such triple stays as it is.
std::string PercentDecoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && HexValue(text[i + 1]) >= 0 &&
        HexValue(text[i + 2]) >= 0) {
      out.push_back(static_cast<char>(HexValue(text[i + 1]) * 16 + HexValue(text[i + 2])));
      i += 2;
    } else {
      out.push_back(text[i]);
    }
  }
  return out;
}

std::string LowerAscii(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = (c >= 'A' && c <= 'Z') ? static_cast<char>(c + ('a' - 'A')) : c;
  return out;
}

// "application/json", with or without "charset=utf-8".
bool IsJsonType(std::string_view content_type) {
  const std::string type = LowerAscii(content_type);
  const std::size_t end = type.find(';');
  std::string_view media = std::string_view(type).substr(0, end);
  while (media.ends_with(' ')) media.remove_suffix(1);
  if (media != "application/json") return false;
  const std::size_t charset = type.find("charset=");
  if (charset == std::string::npos) return true;
  std::string_view name = std::string_view(type).substr(charset + 8);
  if (name.starts_with('"')) name.remove_prefix(1);
  return name.starts_with("utf-8") || name.starts_with("utf8");
}

// What is wrong with the form of a body, if anything.
std::optional<HttpError> BadForm(const HttpRequest& request) {
  const std::string encoding = LowerAscii(request.Header("content-encoding"));
  if (!encoding.empty() && encoding != "identity") {
    return HttpErrorFor(
        415, "the content-encoding '" + encoding + "' is not supported; send the body as it is");
  }
  if (!IsJsonType(request.Header("content-type"))) {
    return HttpErrorFor(415, "the content-type must be application/json in UTF-8");
  }
  return std::nullopt;
}

}  // namespace

struct HttpApi::Route {
  RouteId id;
  std::string_view path;  // a last segment in braces stands for anything, slashes included
  std::string_view method;
  bool open = false;  // needs no key
  std::string_view other_method = "";
};

const HttpApi::Route* HttpApi::FindRoute(std::string_view path) {
  static constexpr std::array kRoutes = {
      Route{RouteId::kModels, "/v1/models", "GET"},
      Route{RouteId::kModel, "/v1/models/{model}", "GET"},
      Route{RouteId::kCompletions, "/v1/completions", "POST"},
      Route{RouteId::kChat, "/v1/chat/completions", "POST"},
      Route{RouteId::kTokenize, "/tokenize", "POST"},
      Route{RouteId::kDetokenize, "/detokenize", "POST"},
      Route{RouteId::kHealth, "/health", "GET", true},
      Route{RouteId::kPing, "/ping", "GET", true, "POST"},
      Route{RouteId::kLive, "/live", "GET", true},
      Route{RouteId::kReady, "/ready", "GET", true},
      Route{RouteId::kVersion, "/version", "GET", true},
      Route{RouteId::kLoad, "/load", "GET"},
      Route{RouteId::kMetrics, "/metrics", "GET", true},
  };
  for (const Route& route : kRoutes) {
    const std::size_t brace = route.path.find('{');
    if (path == route.path && brace == std::string_view::npos) return &route;
    if (brace != std::string_view::npos && path.size() > brace &&
        path.substr(0, brace) == route.path.substr(0, brace)) {
      return &route;
    }
  }
  return nullptr;
}

HttpApi::HttpApi(HttpApiOptions options, MetricsRegistry* metrics, const Clock* clock)
    : options_(std::move(options)),
      metrics_(metrics),
      clock_(clock),
      admin_(options_.admin, metrics) {}

void HttpApi::StartServing(OpenAiApiOptions options, const Frontend* frontend) {
  CHECK(serving_.load() == nullptr);
  openai_ = std::make_unique<OpenAiApi>(std::move(options), frontend);
  serving_.store(openai_.get());
}

void HttpApi::BeginDrain() { draining_ = true; }

ServerPhase HttpApi::phase() const {
  if (draining_) return ServerPhase::kDraining;
  return serving_.load() == nullptr ? ServerPhase::kLoading : ServerPhase::kReady;
}

std::optional<EngineStats> HttpApi::engine_stats() const {
  const OpenAiApi* const openai = serving_.load();
  if (openai == nullptr) return std::nullopt;
  return openai->frontend().engine().stats();
}

HttpResponse HttpApi::ErrorBody(int status, const std::string& message) {
  return ErrorResponse(HttpErrorFor(status, message));
}

// Judged by the route and not by the path's spelling, so that no other spelling gets around it;
// what has no route needs a key as well, and its absence tells nothing.
bool HttpApi::IsAllowedIn(const Route* route, const HttpRequest& request) const {
  if (!options_.keys.required()) return true;
  if (route != nullptr && route->open) {
    if (route->id != RouteId::kMetrics || options_.open_metrics) return true;
  }
  return options_.keys.Accepts(request.Header("authorization"));
}

void HttpApi::Handle(std::shared_ptr<HttpExchange> exchange) {
  std::string path = PercentDecoded(exchange->request().path);
  if (path.size() > 1 && path.ends_with('/')) path.pop_back();
  const Route* const route = FindRoute(path);
  const auto scope = std::make_shared<RequestScope>(
      std::move(exchange), std::string(route != nullptr ? route->path : "none"), metrics_, clock_);
  const HttpRequest& request = scope->request();
  if (!IsAllowedIn(route, request)) {
    return scope->RespondError(
        HttpErrorFor(401, "this server needs a key: send the field 'Authorization: Bearer KEY'"));
  }
  if (route == nullptr) {
    return scope->RespondError(HttpErrorFor(404, "there is nothing at this path"));
  }
  const bool get = route->method == "GET" && (request.method == "GET" || request.method == "HEAD");
  if (!get && request.method != route->method && request.method != route->other_method) {
    HttpResponse response = ErrorResponse(
        HttpErrorFor(405, "the method " + request.method.substr(0, 20) + " is not allowed here"));
    std::string allow = route->method == "GET" ? "GET, HEAD" : std::string(route->method);
    if (!route->other_method.empty()) allow.append(", ").append(route->other_method);
    response.headers.emplace_back("allow", allow);
    return scope->Respond(std::move(response));
  }
  Dispatch(*route, path, scope);
}

void HttpApi::Dispatch(const Route& route, std::string_view path, const Scope& scope) {
  switch (route.id) {
    case RouteId::kHealth:
    case RouteId::kPing:
      return admin_.Health(scope, phase(), engine_stats());
    case RouteId::kLive:
      return admin_.Live(scope, engine_stats());
    case RouteId::kReady:
      return admin_.Ready(scope, phase());
    case RouteId::kVersion:
      return admin_.Version(scope);
    case RouteId::kMetrics:
      return admin_.Metrics(scope);
    case RouteId::kLoad: {
      const OpenAiApi* const openai = serving_.load();
      return admin_.Load(scope, openai == nullptr ? 0 : openai->in_flight());
    }
    default:
      return DispatchOpenAi(route, path, scope);
  }
}

void HttpApi::DispatchOpenAi(const Route& route, std::string_view path, const Scope& scope) {
  OpenAiApi* const openai = serving_.load();
  if (openai == nullptr) return admin_.Ready(scope, phase());
  if (route.method == "POST") {
    if (const auto error = BadForm(scope->request())) return scope->RespondError(*error);
  }
  switch (route.id) {
    case RouteId::kModels:
      return openai->ListModels(scope);
    case RouteId::kModel:
      return openai->GetModel(scope, path.substr(route.path.find('{')));
    case RouteId::kCompletions:
      return openai->Completions(scope);
    case RouteId::kChat:
      return openai->ChatCompletions(scope);
    case RouteId::kTokenize:
      return openai->Tokenize(scope);
    case RouteId::kDetokenize:
      return openai->Detokenize(scope);
    default:
      CHECK(false);
  }
}

}  // namespace engram
