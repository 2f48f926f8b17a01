// Holds the engine to invariants I1 to I7 of the semantics. It sees what is durable, what leaves, what outsiders are
// told and what participants really did, and remembers the first thing that was wrong.
#ifndef TUTTI_TESTS_SIM_AUDITOR_H_
#define TUTTI_TESTS_SIM_AUDITOR_H_

#include <algorithm>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "orchestrator/saga/effect.h"
#include "orchestrator/store/saga_store.h"
#include "tests/sim/disk.h"
#include "tests/sim/library.h"

namespace tutti::sim {

class Auditor {
 public:
  // What one step's action really left at its participant.
  struct Effect {
    bool present = false;
    int applied = 0;
    int undone = 0;
  };
  struct Saga {
    std::string id;
    std::string uid;
    const saga::Recipe* recipe = nullptr;
    storage::v1::SagaRecord durable;
    int64_t seen_sequence = 0;                // an outsider was told of it
    int64_t last_event_ms = 0;                // of its history
    std::optional<std::string> acknowledged;  // the fingerprint that a client was told is started
    bool cancel_acknowledged = false;
    bool damaged = false;                         // its record cannot be read: nothing more may happen to it
    std::vector<Effect> effects;                  // by step
    std::vector<bool> undo_sent;                  // by step
    std::map<std::string, std::string> requests;  // by key, as first handed over
  };

  // On the disk for good.
  void OnDurable(const store::WriteSet& write_set);
  // The sweeper looks for sagas that ended by then: these may go, and others may not.
  void OnSweep(int64_t ended_by_ms) { forgettable_until_ms_ = std::max(forgettable_until_ms_, ended_by_ms); }
  // The engine lets go of a command; the transport takes it.
  void OnSend(const saga::SendCommand& command);
  void OnHandOver(const saga::SendCommand& command);
  // A participant changed its own database.
  void OnApplied(const std::string& uid, const std::string& step);
  void OnUndone(const std::string& uid, const std::string& step);
  // Watchers and clients are told.
  void OnTold(const storage::v1::SagaRecord& record);
  void OnStartAcknowledged(const storage::v1::SagaRecord& record, const std::string& fingerprint);
  void OnStartRefused(const std::string& saga_id, const std::string& fingerprint);
  void OnCancelAcknowledged(const storage::v1::SagaRecord& record);
  // An operator's word that names a parking which is over must not count.
  void OnStaleWordAccepted(const std::string& saga_id) {
    Violated("a stale operator word about " + saga_id + " counts");
  }
  // While no process is there.
  void OnDamaged(const std::string& saga_id) { sagas_[saga_id].damaged = true; }
  bool IsDamaged(const std::string& saga_id) const {
    const Saga* saga = Find(saga_id);
    return saga != nullptr && saga->damaged;
  }
  // Another process took over from what the disk holds.
  void OnRecovered(const Disk& disk);
  // Faults are over and nothing moves any more. Reads what clients would.
  void OnQuiet(const Disk& disk);

  void Violated(const std::string& what);
  const std::string& violation() const { return violation_; }

  const std::map<std::string, Saga>& sagas() const { return sagas_; }
  const Saga* Find(const std::string& saga_id) const;
  // By uid: sagas that were forgotten.
  const std::map<std::string, Saga>& expired() const { return expired_; }
  bool WasAcknowledged(const std::string& saga_id) const { return acknowledged_ids_.contains(saga_id); }
  // Changes with everything that is checked: equal runs have equal digests.
  uint64_t digest() const { return digest_; }

 private:
  Saga* SagaOf(const storage::v1::SagaRecord& record);
  void Forget(const storage::v1::SagaRecord& record);
  void CheckForgotten(const Disk& disk);
  void CheckEnded(const Disk& disk, const Saga& saga);
  void CheckActive(const Disk& disk);
  void CheckHistory(Saga* saga, const store::SagaWrite& write);
  void CheckTransition(const Saga& saga, const storage::v1::SagaRecord& next);
  void CheckSteps(const Saga& saga);
  void CheckUndoOrder(const Saga& saga, int step);
  void CheckForwardOrder(const Saga& saga, int step);
  Saga* ByUid(const std::string& uid, const std::string& step, int* index);

  std::map<std::string, Saga> sagas_;    // by id: what has it now
  std::map<std::string, Saga> expired_;  // by uid
  std::set<std::string> acknowledged_ids_;
  int64_t forgettable_until_ms_ = std::numeric_limits<int64_t>::min();
  std::map<std::string, std::string> id_by_uid_;
  std::string violation_;
  uint64_t digest_ = 0;
};

}  // namespace tutti::sim

#endif  // TUTTI_TESTS_SIM_AUDITOR_H_
