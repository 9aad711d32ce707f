// SPDX-License-Identifier: Apache-2.0
#include "engine/engram/keeper/table_keeper.h"

#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <optional>
#include <string_view>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "config/limits.h"
#include "engine/engram/keeper/sealed_memory.h"

namespace engram {
namespace {

std::string FirstLine(std::string_view text) {
  return std::string(text.substr(0, text.find('\n')));
}

}  // namespace

absl::StatusOr<std::unique_ptr<TableKeeper>> TableKeeper::Start(const TableKeeperOptions& options) {
  ASSIGN_OR_RETURN(Descriptor listener, ListenAsKeeper(options.socket_path));
  return std::unique_ptr<TableKeeper>(new TableKeeper(std::move(listener), options));
}

TableKeeper::~TableKeeper() { unlink(options_.socket_path.c_str()); }

void TableKeeper::Run(const Descriptor& stop) {
  pollfd waits[2] = {{.fd = stop.get(), .events = POLLIN, .revents = 0},
                     {.fd = listener_.get(), .events = POLLIN, .revents = 0}};
  for (;;) {
    if (poll(waits, 2, -1) < 0) continue;  // interrupted
    if (waits[0].revents != 0) return;
    if (waits[1].revents != 0) AnswerOne();
  }
}

void TableKeeper::AnswerOne() {
  const absl::StatusOr<Descriptor> client = AcceptClient(listener_);
  if (!client.ok()) {
    LOG_WARNING("{}", Message(client.status()));
    return;
  }
  absl::StatusOr<KeeperPacket> question = ReceivePacket(*client);
  if (!question.ok()) {
    LOG_WARNING("{}", Message(question.status()));
    return;
  }
  const Descriptor* segment = nullptr;
  const KeeperPacket answer = Answer(*std::move(question), &segment);
  const absl::Status sent = SendPacket(*client, answer.text, segment);
  if (!sent.ok()) LOG_WARNING("{}", Message(sent));
}

KeeperPacket TableKeeper::Answer(KeeperPacket question, const Descriptor** segment) {
  std::string_view rest = question.text;
  const std::string_view verb = TakeWord(&rest);
  if (verb == "get") {
    const auto it = segments_.find(rest);
    if (it == segments_.end()) return {.text = "none", .segment = std::nullopt};
    *segment = &it->second.memory;
    return {.text = absl::StrCat("have ", it->second.bytes), .segment = std::nullopt};
  }
  std::string text = "refused: expected get, keep, list or drop";
  if (verb == "keep") text = Keep(rest, std::move(question.segment));
  if (verb == "list") text = List();
  if (verb == "drop") text = Drop(rest);
  return {.text = std::move(text), .segment = std::nullopt};
}

std::string TableKeeper::Keep(std::string_view rest, std::optional<Descriptor> memory) {
  std::int64_t bytes = 0;
  if (!absl::SimpleAtoi(ToAbsl(TakeWord(&rest)), &bytes) || bytes <= 0 || rest.empty()) {
    return "refused: expected keep BYTES IDENTITY";
  }
  if (!memory.has_value()) return "refused: no descriptor came with it";
  if (const absl::Status sealed = CheckSealed(*memory); !sealed.ok()) {
    return absl::StrCat("refused: ", sealed.message());
  }
  struct stat info {};
  if (fstat(memory->get(), &info) != 0 || info.st_size < bytes) {
    return absl::StrCat("refused: the segment has ", info.st_size, " bytes, not ", bytes);
  }
  if (segments_.contains(rest)) return "kept";  // another server was faster with the same
  if (segments_.size() >= limits::kKeptSegmentsMax || bytes_ + info.st_size > options_.bytes_max) {
    return absl::StrCat("refused: it holds ", segments_.size(), " segments of ", bytes_,
                        " bytes and may hold ", limits::kKeptSegmentsMax, " of ",
                        options_.bytes_max, "; drop what nobody needs");
  }
  LOG_INFO("keeping {} bytes: {}", bytes, FirstLine(rest));
  bytes_ += info.st_size;
  segments_.emplace(std::string(rest), Segment{std::move(*memory), info.st_size});
  return "kept";
}

std::string TableKeeper::List() const {
  std::string text = "segments";
  for (const auto& [identity, segment] : segments_) {
    const std::string line = absl::StrCat("\n", segment.bytes, " ", FirstLine(identity));
    if (text.size() + line.size() > limits::kKeeperPacketBytesMax) break;
    text += line;
  }
  return text;
}

std::string TableKeeper::Drop(std::string_view identity) {
  int count = 0;
  for (auto it = segments_.begin(); it != segments_.end();) {
    if (identity != "all" && it->first != identity && FirstLine(it->first) != identity) {
      ++it;
      continue;
    }
    bytes_ -= it->second.bytes;
    it = segments_.erase(it);
    ++count;
  }
  LOG_INFO("dropped {} segments", count);
  return absl::StrCat("dropped ", count);
}

}  // namespace engram
