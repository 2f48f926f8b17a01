// Messages and services as a participant might describe them, and bytes as it might send them.
#ifndef TUTTI_TESTS_FUZZ_RANDOM_TYPES_H_
#define TUTTI_TESTS_FUZZ_RANDOM_TYPES_H_

#include <memory>
#include <string>
#include <vector>

#include "google/protobuf/descriptor.h"
#include "google/protobuf/descriptor.pb.h"
#include "tests/fuzz/byte_reader.h"

namespace tutti::fuzz {

// Two files of the package `play`: old.proto in proto2, new.proto in proto3, which uses it and has the service
// play.Service. Their messages may contain each other and themselves, and protobuf's standard types; some are made to
// nest without end, some to have many fields. Each file reads a section of its own.
class RandomTypes {
 public:
  explicit RandomTypes(ByteReader* reader);

  // Null when protobuf itself refuses what came about.
  const google::protobuf::ServiceDescriptor* service() const { return service_; }
  // With all they import.
  const google::protobuf::FileDescriptorSet& files() const { return files_; }
  const std::vector<const google::protobuf::Descriptor*>& messages() const { return messages_; }
  // By its full name, a standard one, too; null when there is none.
  const google::protobuf::Descriptor* FindMessage(const std::string& name) const;

 private:
  google::protobuf::FileDescriptorSet files_;
  std::unique_ptr<google::protobuf::DescriptorPool> pool_;
  const google::protobuf::ServiceDescriptor* service_ = nullptr;
  std::vector<const google::protobuf::Descriptor*> messages_;
};

// Up to bytes_max bytes that a parser of `type`, one of `types`' or a standard one, mostly takes: texts that are not
// UTF-8, numbers that are none, lists of thousands, messages in messages as deep as parsers go and deeper are among
// them, by whatever way a type leads back to itself.
std::string RandomMessage(ByteReader* reader, const RandomTypes& types, const google::protobuf::Descriptor& type,
                          size_t bytes_max);

}  // namespace tutti::fuzz

#endif  // TUTTI_TESTS_FUZZ_RANDOM_TYPES_H_
