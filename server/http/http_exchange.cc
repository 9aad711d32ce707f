// SPDX-License-Identifier: Apache-2.0
#include "server/http/http_exchange.h"

namespace engram::http_internal {

Exchange::~Exchange() {
  // If it was answered, its number is no longer current and this does nothing.
  connection_->core().Post(connection_->strand(), [connection = connection_, number = number_] {
    connection->OnDropped(number);
  });
}

void Exchange::Respond(HttpResponse response) {
  connection_->core().Post(connection_->strand(), [connection = connection_, number = number_,
                                                   response = std::move(response)] {
    connection->Respond(number, response);
  });
}

void Exchange::StartStream(HttpResponse head) {
  connection_->core().Post(connection_->strand(),
                           [connection = connection_, number = number_, head = std::move(head)] {
                             connection->StartStream(number, head);
                           });
}

void Exchange::Write(std::string chunk) {
  if (chunk.empty()) return;
  connection_->posted_bytes_ += chunk.size();
  connection_->core().Post(connection_->strand(),
                           [connection = connection_, number = number_, chunk = std::move(chunk)] {
                             connection->Write(number, chunk);
                             connection->posted_bytes_ -= chunk.size();
                           });
}

void Exchange::End() {
  connection_->core().Post(connection_->strand(), [connection = connection_, number = number_] {
    connection->End(number);
  });
}

std::size_t Exchange::unsent_bytes() const {
  return connection_->posted_bytes_.load() + connection_->queued_bytes_.load();
}

void Exchange::SetOnClosed(std::function<void()> on_closed) {
  Post([self = shared_from_this(), on_closed = std::move(on_closed)]() mutable {
    if (self->state_ == State::kOpen) self->on_closed_ = std::move(on_closed);
    if (self->state_ == State::kGone) on_closed();
  });
}

void Exchange::SetOnDrained(std::function<void()> on_drained) {
  Post([self = shared_from_this(), on_drained = std::move(on_drained)]() mutable {
    if (self->state_ == State::kOpen) self->on_drained_ = std::move(on_drained);
  });
}

void Exchange::Post(std::function<void()> task) {
  connection_->core().Post(connection_->strand(), std::move(task));
}

void Exchange::OnComplete() {
  state_ = State::kComplete;
  DropCallbacks();
}

void Exchange::OnGone() {
  state_ = State::kGone;
  const std::function<void()> on_closed = std::move(on_closed_);
  DropCallbacks();
  if (on_closed) on_closed();
}

void Exchange::OnDrained() {
  if (on_drained_) {
    const std::function<void()> on_drained = on_drained_;  // it may end the exchange
    on_drained();
  }
}

void Exchange::DropCallbacks() {
  // Moved out first: what they hold may be the last owner of something that calls back.
  const auto on_closed = std::exchange(on_closed_, nullptr);
  const auto on_drained = std::exchange(on_drained_, nullptr);
}

}  // namespace engram::http_internal
