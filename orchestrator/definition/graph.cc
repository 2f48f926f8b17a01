#include "orchestrator/definition/graph.h"

#include <algorithm>
#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace tutti::definition {
namespace {

class GraphBuilder {
 public:
  GraphBuilder(const DefinitionSource& source, Violations* violations)
      : steps_(source.steps), violations_(violations), edges_(source.steps.size()) {}

  Graph Build() {
    for (size_t i = 0; i < steps_.size(); ++i) {
      by_name_.emplace(steps_[i].name.text, static_cast<int>(i));
      if (steps_[i].kind != v1::STEP_KIND_PIVOT) continue;
      if (pivot_ >= 0) {
        violations_->Add(steps_[i].name.path, steps_[i].name.line,
                         absl::StrCat("is a second pivot beside `", steps_[pivot_].name.text,
                                      "`; a saga has one commit point, make this step retriable or compensatable"));
      } else {
        pivot_ = static_cast<int>(i);
      }
    }
    for (size_t i = 0; i < steps_.size(); ++i) AddWrittenEdges(static_cast<int>(i));
    for (size_t i = 0; i < steps_.size(); ++i) AddImpliedEdges(static_cast<int>(i));
    return Close();
  }

 private:
  void AddWrittenEdges(int step) {
    if (!steps_[step].after.has_value()) {
      if (step > 0) AddEdge(step - 1, step, steps_[step].name);
      return;
    }
    for (const Word& word : *steps_[step].after) {
      const auto it = by_name_.find(word.text);
      if (it == by_name_.end() || word.text.empty()) {
        std::vector<std::string> names;
        for (const auto& entry : by_name_) names.push_back(entry.first);
        violations_->Add(word.path, word.line,
                         absl::StrCat("there is no step `", word.text.substr(0, 80), "`",
                                      violations_->suggester()->For(word.text, names), "; name a step of this saga"));
        continue;
      }
      AddEdge(it->second, step, word);
    }
  }

  void AddEdge(int before, int after, const Word& where) {
    const v1::StepKind first = steps_[before].kind;
    const v1::StepKind second = steps_[after].kind;
    const bool wrong = (second == v1::STEP_KIND_COMPENSATABLE && first != v1::STEP_KIND_COMPENSATABLE) ||
                       (second == v1::STEP_KIND_PIVOT && first == v1::STEP_KIND_RETRIABLE);
    if (wrong) {
      violations_->Add(where.path, where.line,
                       absl::StrCat("kind out of order: ", Described(after), " cannot come after ", Described(before),
                                    "; compensatable steps come first, then the pivot, then retriable steps"));
      return;
    }
    edges_[after].set(before);
  }

  std::string Described(int step) const {
    const char* kind = steps_[step].kind == v1::STEP_KIND_PIVOT       ? "pivot"
                       : steps_[step].kind == v1::STEP_KIND_RETRIABLE ? "retriable"
                                                                      : "compensatable";
    return absl::StrCat(kind, " `", steps_[step].name.text, "`");
  }

  void AddImpliedEdges(int step) {
    const v1::StepKind kind = steps_[step].kind;
    if (kind == v1::STEP_KIND_COMPENSATABLE) return;
    if (kind == v1::STEP_KIND_RETRIABLE && pivot_ >= 0) {
      edges_[step].set(pivot_);
      return;
    }
    for (size_t i = 0; i < steps_.size(); ++i) {
      if (steps_[i].kind == v1::STEP_KIND_COMPENSATABLE) edges_[step].set(i);
    }
  }

  // Takes steps whose dependencies are all taken; what is left when that ends stands on a cycle, or behind one.
  Graph Close() {
    Graph graph;
    graph.predecessors.resize(steps_.size());
    StepSet taken;
    for (bool progress = true; progress;) {
      progress = false;
      for (size_t i = 0; i < steps_.size(); ++i) {
        if (taken[i] || (edges_[i] & ~taken).any()) continue;
        taken.set(i);
        progress = true;
        graph.predecessors[i] = edges_[i];
        for (size_t j = 0; j < steps_.size(); ++j) {
          if (edges_[i][j]) graph.predecessors[i] |= graph.predecessors[j];
        }
      }
    }
    if (taken.count() < steps_.size()) ReportCycle(taken);
    for (size_t i = 0; i < steps_.size(); ++i) {
      graph.dependencies.emplace_back();
      for (size_t j = 0; j < steps_.size(); ++j) {
        if (edges_[i][j]) graph.dependencies.back().push_back(static_cast<int>(j));
      }
    }
    return graph;
  }

  void ReportCycle(const StepSet& taken) {
    size_t step = 0;
    while (taken[step]) ++step;
    std::vector<size_t> walk;
    while (std::find(walk.begin(), walk.end(), step) == walk.end()) {
      walk.push_back(step);
      size_t next = 0;
      while (!edges_[step][next] || taken[next]) ++next;
      step = next;
    }
    walk.erase(walk.begin(), std::find(walk.begin(), walk.end(), step));
    walk.push_back(step);
    std::vector<std::string> names;
    for (const size_t i : walk) names.push_back(steps_[i].name.text);
    const Word& where = steps_[step].name;
    violations_->Add(where.path, where.line,
                     absl::StrCat("steps wait for each other: ", absl::StrJoin(names, " after "),
                                  "; remove one of these from its `after`"));
  }

  const std::vector<StepSource>& steps_;
  Violations* const violations_;
  std::vector<StepSet> edges_;  // edges_[i][j]: i comes after j
  std::map<std::string, int> by_name_;
  int pivot_ = -1;
};

}  // namespace

Graph BuildGraph(const DefinitionSource& source, Violations* violations) {
  return GraphBuilder(source, violations).Build();
}

}  // namespace tutti::definition
