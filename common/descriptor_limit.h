// How many files and connections this process may have open.
#ifndef TUTTI_COMMON_DESCRIPTOR_LIMIT_H_
#define TUTTI_COMMON_DESCRIPTOR_LIMIT_H_

namespace tutti {

// Takes as many as the system lets it: systems start programs with 1,024 for the sake of select(), and each client's
// connection is one. Call it before threads are started. Where it is not allowed, everything stays as it was.
void RaiseDescriptorLimit();

}  // namespace tutti

#endif  // TUTTI_COMMON_DESCRIPTOR_LIMIT_H_
