// Every limit in one place, each with its reason.
#ifndef TUTTI_COMMON_LIMITS_H_
#define TUTTI_COMMON_LIMITS_H_

#include <cstddef>
#include <cstdint>

namespace tutti::limits {

// Ids become parts of keys, metadata values and log lines: printable ASCII without '/', '|' or spaces, of this length.
inline constexpr size_t kSagaIdBytesMax = 128;
inline constexpr size_t kNameBytesMax = 63;  // definitions, steps, participants: a DNS label, so a name fits any label

inline constexpr int kStepsMax = 64;                  // transitive edges stay a few thousand
inline constexpr size_t kInputBytesMax = 256 * 1024;  // a record is rewritten whole at every event
inline constexpr size_t kReplyBytesMax = 256 * 1024;  // kept in the record as well
// Mapped requests are kept in the record, too. A mapping may name one input many times, so what it makes is bounded
// where it is made. What common servers take is four times this.
inline constexpr size_t kRequestBytesMax = 1024 * 1024;
inline constexpr size_t kOutputBytesMax = 256 * 1024;  // a reply with its defaults written out can be 200 times itself
// Of one output, told one by one; the last counts the rest. Each is a history entry, and kept in the record.
inline constexpr size_t kOutputFailuresMax = 16;
// Of an input as JSON, defaults written out: one answer holds it beside the output.
inline constexpr size_t kShownInputBytesMax = 1024 * 1024;
// Of the messages that one mapping reads and makes, in memory: the two bytes of an empty message of a thousand fields
// take eight thousand there.
inline constexpr size_t kDecodedBytesMax = 64 * 1024 * 1024;
// Levels of messages in a google.protobuf.Struct that is stored or answered: an object counts three, and a list, which
// has two, as well, because protobuf's JSON printers make no difference. Parsers take 100 in all, and our own messages
// around it need some of them.
inline constexpr int kJsonLevelsMax = 90;
inline constexpr int kMessageLevelsMax = 100;  // of a mapped request: what parsers take unless told otherwise
inline constexpr size_t kDefinitionBytesMax = 1024 * 1024;
// Scalars, lists and maps: 64 steps with two commands of a hundred fields each are far below it. In a plan each takes
// some 300 bytes, for as long as there is the revision.
inline constexpr int kDefinitionValuesMax = 20'000;
inline constexpr int kDefinitionDepthMax = 32;  // the compiler recurses once per level of nesting
// Of any duration in a definition: a command older than its horizon is not sent anyway.
inline constexpr int64_t kDurationMsMax = 7LL * 24 * 60 * 60 * 1000;
inline constexpr int kAttemptsMax = 1'000'000;  // of a definition's own limits; beyond, say unlimited
// Of a command's headers that the definition sets: together with our own they must fit gRPC's 8 KiB.
inline constexpr int kMetadataEntriesMax = 32;
inline constexpr size_t kMetadataBytesMax = 4096;
inline constexpr int kLabelsMax = 16;  // one index entry each
inline constexpr size_t kLabelBytesMax = 256;
// Misspelt words of one request for which a similar one is looked for: each look compares it with all there are.
inline constexpr int kSuggestionsMax = 8;
// Descriptors of one participant's service with all they import.
inline constexpr size_t kDescriptorBytesMax = 32 * 1024 * 1024;
// Headers or trailers of one answer of a participant. Beyond it gRPC ends the connection, so it is far above what
// anybody sends by mistake, and still little for each call under way.
inline constexpr size_t kReplyMetadataBytesMax = 1024 * 1024;
inline constexpr size_t kBearerTokenBytesMax = 4096;    // half of the 8 KiB of headers that servers take
inline constexpr int kConcurrencyMax = 100'000;         // calls under way to one participant: each may hold a reply
inline constexpr size_t kTraceStateBytesMax = 512;      // W3C: what everybody must be able to pass on
inline constexpr size_t kStatusMessageBytesMax = 1024;  // of a participant, kept in history
// gRPC turns a status whose trailers exceed 8 KiB into RESOURCE_EXHAUSTED.
inline constexpr size_t kStatusDetailsBytesMax = 6 * 1024;

// Any request, of a participant's server too: a definition and a mapped request are the largest there are.
inline constexpr size_t kRequestMessageBytesMax = 1024 * 1024 + 128 * 1024;
// Headers of a call, names and values and 32 for each, as HTTP/2 counts: what gRPC's servers take unless told
// otherwise.
inline constexpr size_t kHeaderBytesMax = 8 * 1024;
// Up to here gRPC reads the headers of a call, so that it can be refused by itself; with more, its connection ends.
// Every call under way may hold as much while it is read. More than the proxies on the way let pass.
inline constexpr int kHeaderBytesHardMax = 128 * 1024;
// Each costs 20 to 25 KiB before it holds anything. Calls beyond wait inside their client.
inline constexpr int kConnectionStreamsMax = 1000;
// Connections of a gRPC server, each 10 to 20 KiB before its first call. Beyond, they are closed at once.
inline constexpr size_t kConnectionsMax = 10'000;
// Of them, whatever their number may be where descriptors are few: so that one peer cannot have all. A peer is an
// address, so it may be a proxy or a gateway with many clients behind it.
inline constexpr size_t kPeerConnectionsShare = 2;   // one half
inline constexpr size_t kProbeConnectionsMax = 256;  // of a listener for probes
// Connections for /metrics; beyond, the one goes that has kept silent for the longest.
inline constexpr size_t kScrapeConnectionsMax = 64;
// Descriptors that no client's connection takes, for files, probes, scrapes and calls to participants. A large store
// has some thousand tables.
inline constexpr size_t kSpareDescriptorsShare = 4;  // one quarter
inline constexpr size_t kSpareDescriptorsMax = 4096;

inline constexpr uint32_t kSlots = 4096;               // fixed for ever: keys on disk are laid out by slot
inline constexpr size_t kMailboxRequestsMax = 10'000;  // per shard; client requests beyond it are refused
// Of the inputs, labels and replies in them: 10,000 of the largest would be 2.5 GiB. A shard copies each some times on
// its way to the disk. As much as a good disk takes in a tenth of a second.
inline constexpr size_t kMailboxBytesMax = 16 * 1024 * 1024;
inline constexpr size_t kShardBatchMax = 512;  // events stepped for one write set
inline constexpr size_t kCommitBatchMax =
    1024;  // sagas in one synced write; beyond, latency grows and throughput does not
// Commands that wait for a participant's committer: seconds of work; beyond, they are answered UNAVAILABLE.
inline constexpr size_t kCommitQueueMax = 20'000;
inline constexpr int kPageSizeMax = 1000;
// Index entries looked at for one page of a listing; a page that ends early has fewer sagas and a cursor to go on with.
inline constexpr int kListScanMax = 20'000;
// Records read for one page of ended sagas: the sweep works in small bites.
inline constexpr size_t kEndedScanMax = 2'000;
// Of one answer's sagas or events: clients of gRPC refuse messages above 4 MiB unless told otherwise.
inline constexpr size_t kPageBytesMax = 3 * 1024 * 1024;
// Any answer: the same 4 MiB, less what gRPC and a status need.
inline constexpr size_t kAnswerBytesMax = 4 * 1024 * 1024 - 16 * 1024;
inline constexpr size_t kSagaWithPayloadsBytesMax = kAnswerBytesMax - 1024;  // less what stands around it in an answer
// A saga without input and output: its steps with two names and the message of a parking each, labels, an abort's
// reason.
inline constexpr size_t kSagaBytesMax = 128 * 1024;
static_assert(kStepsMax * (2 * kNameBytesMax + kStatusMessageBytesMax + 128) +
                      kLabelsMax * (kNameBytesMax + kLabelBytesMax + 16) + 2 * kStatusMessageBytesMax + 1024 <=
                  kSagaBytesMax,
              "the largest saga fits");
// Requests up to this size are read and checked on gRPC's own threads: some tens of microseconds.
inline constexpr size_t kInlineRequestBytesMax = 8 * 1024;
// Calls that wait for a thread, of each kind; beyond, they would have waited for seconds.
inline constexpr size_t kReadsWaitingMax = 1024;
inline constexpr size_t kListsWaitingMax = 128;
inline constexpr size_t kLargeRequestsWaitingMax = 1024;
inline constexpr size_t kAppliesWaitingMax = 32;
// Bytes that calls of a kind (starts and words, reads, definitions) hold together: requests until they are answered,
// and answers until their clients have taken them, which one that reads nothing never does. Where they are full, what
// has no more than kInlineRequestBytesMax still finds room: it must not wait behind what is large.
inline constexpr size_t kHeldRequestBytesMax = 48 * 1024 * 1024;
inline constexpr size_t kHeldAnswerBytesMax = 32 * 1024 * 1024;
// RunSaga and WatchSaga calls that wait: 25 KiB each in gRPC, before anything is waited for.
inline constexpr size_t kWaitingCallsMax = 10'000;
inline constexpr size_t kFilterBytesMax = 4096;
// Events, and bytes of them, a watcher may be behind before it is served from the store again.
inline constexpr size_t kWatchBufferMax = 256;
inline constexpr size_t kWatchBufferBytesMax = 32 * 1024;

}  // namespace tutti::limits

#endif  // TUTTI_COMMON_LIMITS_H_
