// SPDX-License-Identifier: Apache-2.0
#include "engine/engram/keeper/keeper_client.h"

#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "engine/engram/keeper/keeper_wire.h"

namespace engram {
namespace {

absl::StatusOr<KeeperPacket> Ask(const std::string& path, std::string_view question,
                                 const Descriptor* segment) {
  ASSIGN_OR_RETURN(const Descriptor socket, ConnectToKeeper(path));
  RETURN_IF_ERROR(SendPacket(socket, question, segment));
  return ReceivePacket(socket);
}

absl::Status Unexpected(const std::string& path, const std::string& answer) {
  return absl::FailedPreconditionError(absl::StrCat("table keeper at ", path, ": ", answer));
}

}  // namespace

absl::StatusOr<std::optional<Descriptor>> KeeperClient::Get(std::string_view identity) const {
  ASSIGN_OR_RETURN(KeeperPacket answer,
                   Ask(path_, absl::StrCat("get ", ToAbsl(identity)), nullptr));
  if (answer.text == "none") return std::nullopt;
  if (!answer.text.starts_with("have ") || !answer.segment.has_value()) {
    return Unexpected(path_, answer.text);
  }
  return std::move(answer.segment);
}

absl::Status KeeperClient::Keep(std::string_view identity, std::int64_t bytes,
                                const Descriptor& segment) const {
  ASSIGN_OR_RETURN(const KeeperPacket answer,
                   Ask(path_, absl::StrCat("keep ", bytes, " ", ToAbsl(identity)), &segment));
  return answer.text == "kept" ? absl::OkStatus() : Unexpected(path_, answer.text);
}

absl::StatusOr<std::string> KeeperClient::List() const {
  ASSIGN_OR_RETURN(const KeeperPacket answer, Ask(path_, "list", nullptr));
  std::string_view rest = answer.text;
  if (!rest.starts_with("segments")) return Unexpected(path_, answer.text);
  rest.remove_prefix(std::string_view("segments").size());
  if (!rest.empty()) rest.remove_prefix(1);
  return std::string(rest);
}

absl::StatusOr<int> KeeperClient::Drop(std::string_view identity) const {
  ASSIGN_OR_RETURN(const KeeperPacket answer,
                   Ask(path_, absl::StrCat("drop ", ToAbsl(identity)), nullptr));
  std::string_view rest = answer.text;
  int count = 0;
  if (TakeWord(&rest) != "dropped" || !absl::SimpleAtoi(ToAbsl(rest), &count)) {
    return Unexpected(path_, answer.text);
  }
  return count;
}

}  // namespace engram
