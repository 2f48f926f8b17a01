// Pools of descriptors. A large service's take hundreds of MiB, and every revision of every definition that calls it
// needs them, so equal ones are kept once in the process.
#ifndef TUTTI_ORCHESTRATOR_DEFINITION_SHARED_POOL_H_
#define TUTTI_ORCHESTRATOR_DEFINITION_SHARED_POOL_H_

#include <memory>
#include <string>
#include <vector>

#include "google/protobuf/descriptor.h"
#include "google/protobuf/descriptor.pb.h"
#include "orchestrator/definition/file_set.h"

namespace tutti::definition {

struct PoolProblem {
  std::string participant;  // empty: the input's
  std::string element;      // "shop.v1.Item.price"
  std::string description;
};

// A pool of just these files, be it one that somebody else holds already. It ends at the first file that cannot be
// built, and says why; such a pool is nobody else's. Thread-safe.
std::shared_ptr<const google::protobuf::DescriptorPool> SharedPool(const FileSet& files,
                                                                   std::vector<PoolProblem>* problems);

// Adds a file whose imports the pool has. False, with problems of `origin`, when it cannot be built.
bool BuildFile(const google::protobuf::FileDescriptorProto& file, const std::string& origin,
               google::protobuf::DescriptorPool* pool, std::vector<PoolProblem>* problems);

}  // namespace tutti::definition

#endif  // TUTTI_ORCHESTRATOR_DEFINITION_SHARED_POOL_H_
