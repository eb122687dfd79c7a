// One link of Sessions. Only for sessions*.cc.
#pragma once

#include <deque>
#include <string>
#include <utility>

#include "controller/sessions.h"

namespace controller {

/// Answers of one link that wait to be sent; who does not read them says it again on its next link.
inline constexpr std::size_t kAnswersWaiting = 512;

struct Sessions::Session {
  Session(proto::Clock& clock, proto::Channel& link) : channel(link), changed(clock) {}

  proto::Channel& channel;
  proto::Notifier changed;
  std::string id;
  std::string name;
  bool greeted = false;            // its Hello is kept
  bool desired_due = false;
  std::deque<v1::Envelope> answers;  // acks, subscriptions, certificates
  std::size_t facts_print = 0;     // of what is kept of its facts; 0: look again
  std::int64_t facts_due_ms = 0;   // when measurements alone are worth a write, monotonic

  void say(v1::Envelope envelope) {
    if (answers.size() >= kAnswersWaiting) return;
    answers.push_back(std::move(envelope));
    changed.notify();
  }
};

}  // namespace controller
