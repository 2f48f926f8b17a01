#include "orchestrator/definition/shared_pool.h"

#include <openssl/evp.h>

#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/mutex.h"

namespace tutti::definition {
namespace {

using google::protobuf::DescriptorPool;
using google::protobuf::FileDescriptorProto;

class ErrorCollector final : public DescriptorPool::ErrorCollector {
 public:
  ErrorCollector(std::string participant, std::vector<PoolProblem>* problems)
      : participant_(std::move(participant)), problems_(problems) {}

  void AddError(const std::string& file, const std::string& element, const google::protobuf::Message*, ErrorLocation,
                const std::string& message) override {
    problems_->push_back({participant_, element, absl::StrCat(file, ": ", element, ": ", message)});
  }

 private:
  const std::string participant_;
  std::vector<PoolProblem>* const problems_;
};

// In the order that protobuf needs: what a file imports comes before it. Chains of imports may be long, so there is no
// recursion.
class PoolBuilder {
 public:
  PoolBuilder(const FileSet& files, DescriptorPool* pool, std::vector<PoolProblem>* problems)
      : files_(files), pool_(pool), problems_(problems) {}

  // Ends at the first file that cannot be built.
  void BuildAll() {
    for (const auto& [name, file] : files_.files()) {
      if (!Open(file)) return;
      while (!stack_.empty()) {
        if (!Advance()) return;
      }
    }
  }

 private:
  struct Frame {
    const FileSet::File* file = nullptr;
    int imports_done = 0;
  };

  bool Open(const FileSet::File& file) {
    if (pool_->FindFileByName(file.proto.name()) != nullptr) return true;
    if (!open_.insert(file.proto.name()).second) return Fail(file, "imports itself, by way of others");
    stack_.push_back({.file = &file});
    return true;
  }

  bool Advance() {
    const FileSet::File& file = *stack_.back().file;
    if (stack_.back().imports_done < file.proto.dependency_size()) {
      const std::string& import = file.proto.dependency(stack_.back().imports_done++);
      const FileSet::File* imported = files_.Find(import);
      return imported == nullptr ? Fail(file, absl::StrCat("imports ", import, ", which was not given"))
                                 : Open(*imported);
    }
    stack_.pop_back();
    return BuildFile(file.proto, file.origin, pool_, problems_);
  }

  bool Fail(const FileSet::File& file, absl::string_view what) {
    problems_->push_back({file.origin, "", absl::StrCat(file.proto.name(), " ", what)});
    return false;
  }

  const FileSet& files_;
  DescriptorPool* const pool_;
  std::vector<PoolProblem>* const problems_;
  std::set<std::string> open_;
  std::vector<Frame> stack_;
};

// Of the names and contents, which stand in order; each with its length, so that none runs into the next.
std::string DigestOf(const FileSet& files) {
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> sha(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  bool done = EVP_DigestInit_ex(sha.get(), EVP_sha256(), nullptr) == 1;
  for (const auto& [name, file] : files.files()) {
    const std::string head = absl::StrCat(name.size(), ":", name, file.bytes.size(), ":");
    done = done && EVP_DigestUpdate(sha.get(), head.data(), head.size()) == 1;
    done = done && EVP_DigestUpdate(sha.get(), file.bytes.data(), file.bytes.size()) == 1;
  }
  TUTTI_CHECK(done && EVP_DigestFinal_ex(sha.get(), digest, &size) == 1, "SHA-256 is built in");
  return std::string(reinterpret_cast<const char*>(digest), size);
}

// Of the whole process. Thread-safe.
class Shelf {
 public:
  std::shared_ptr<const DescriptorPool> Find(const std::string& digest) {
    MutexLock lock(&mu_);
    const auto it = pools_.find(digest);
    return it == pools_.end() ? nullptr : it->second.lock();
  }

  // Whoever was first: two that built the same at once share one of them.
  std::shared_ptr<const DescriptorPool> Keep(const std::string& digest, std::shared_ptr<const DescriptorPool> pool) {
    MutexLock lock(&mu_);
    std::erase_if(pools_, [](const auto& entry) { return entry.second.expired(); });
    std::weak_ptr<const DescriptorPool>& kept = pools_[digest];
    if (auto earlier = kept.lock(); earlier != nullptr) return earlier;
    kept = pool;
    return pool;
  }

 private:
  Mutex mu_;
  std::map<std::string, std::weak_ptr<const DescriptorPool>> pools_ ABSL_GUARDED_BY(mu_);
};

Shelf* TheShelf() {
  static auto* const shelf = new Shelf;
  return shelf;
}

}  // namespace

std::shared_ptr<const DescriptorPool> SharedPool(const FileSet& files, std::vector<PoolProblem>* problems) {
  const std::string digest = DigestOf(files);
  if (auto known = TheShelf()->Find(digest); known != nullptr) return known;
  auto pool = std::make_shared<DescriptorPool>();
  const size_t problems_before = problems->size();
  PoolBuilder(files, pool.get(), problems).BuildAll();
  return problems->size() == problems_before ? TheShelf()->Keep(digest, std::move(pool)) : pool;
}

bool BuildFile(const FileDescriptorProto& file, const std::string& origin, DescriptorPool* pool,
               std::vector<PoolProblem>* problems) {
  ErrorCollector errors(origin, problems);
  return pool->BuildFileCollectingErrors(file, &errors) != nullptr;
}

}  // namespace tutti::definition
