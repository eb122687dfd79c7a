// Every size, count and time limit that two parts must agree on, each with its reason.
// Freestanding: included by small static programs. Bytes unless the name says otherwise.
#pragma once

#include <cstddef>
#include <cstdint>

namespace proto {

inline constexpr std::size_t kKiB = 1024;
inline constexpr std::size_t kMiB = 1024 * kKiB;

// Names are DNS labels of at most 40 characters, so that they fit host names, paths and tables.
inline constexpr std::size_t kMaxNameLength = 40;
inline constexpr std::size_t kIdLength = 16;  // random base32 characters: 80 bits

// The device link (DESIGN 6).
inline constexpr std::uint32_t kProtocolVersion = 1;
inline constexpr std::size_t kMaxEnvelopeBytes = 1 * kMiB;
inline constexpr std::size_t kMaxAppsPerDevice = 64;

// TUF metadata: python-tuf's defaults (SECURITY 1.3).
inline constexpr std::size_t kMaxRootBytes = 512000;
inline constexpr std::size_t kMaxTimestampBytes = 16384;
inline constexpr std::size_t kMaxSnapshotBytes = 2000000;
inline constexpr std::size_t kMaxTargetsBytes = 5000000;
inline constexpr int kMaxRootRotations = 256;
inline constexpr int kMaxDelegations = 32;
inline constexpr int kMaxJsonDepth = 32;

// A release.
inline constexpr std::size_t kMaxManifestBytes = 256 * kKiB;
inline constexpr std::size_t kMaxFileBytes = 1 * kMiB;        // one of `files`
inline constexpr std::size_t kMaxFilesBytes = 4 * kMiB;       // all of `files`
inline constexpr std::size_t kMaxImageBytes = 1024 * kMiB;    // one kernel, initrd or disk
inline constexpr std::size_t kMaxImagesPerRelease = 16;
inline constexpr std::size_t kMaxInterfaces = 8;
inline constexpr std::size_t kMaxVolumes = 8;                  // of an app
inline constexpr std::size_t kMaxPublishedPorts = 32;
inline constexpr std::size_t kMaxReleasesListed = 5;          // what an app role keeps listed

// Values of `vars` on a device. Those of 64 apps fit into one Envelope.
inline constexpr int kMaxVars = 64;                           // of one app
inline constexpr std::size_t kMaxValueBytes = 1 * kKiB;
inline constexpr std::size_t kMaxSecretBytes = 4 * kKiB;      // a key of RSA 4096 as PEM fits
inline constexpr std::size_t kMaxValuesBytes = 12 * kKiB;     // of one app, sealed ones as they are

// Deltas between images: two seconds of a core make one between the largest, which is less than a
// push waits for one. Larger images are fetched whole.
inline constexpr std::size_t kMaxDeltaImageBytes = 64 * kMiB;
// A delta that is not at most half of its image is not worth a second way to fail.
inline constexpr std::size_t kDeltaGain = 2;
inline constexpr std::size_t kMaxDeltasOffered = 16;  // of one app to one device: some 4 KiB
// What the controller keeps of them; 5 releases of each app, from what its devices hold.
inline constexpr std::size_t kMaxDeltas = 1024;
inline constexpr std::uint64_t kMaxDeltasBytes = 1024 * kMiB;

// HTTP.
inline constexpr std::size_t kMaxHttpHeaderBytes = 8 * kKiB;
inline constexpr std::size_t kMaxHttpJsonBytes = 8 * kMiB;    // app role metadata travels in a push

// Console.
inline constexpr std::size_t kConsoleRingBytes = 256 * kKiB;  // per instance, on the device
inline constexpr std::size_t kConsoleKeptBytes = 64 * kKiB;  // per instance and release, controller
inline constexpr std::size_t kConsoleLineBytes = 4 * kKiB;

// Flight records: what a device keeps and sends of a guest that failed, and what becomes of it.
inline constexpr std::size_t kFlightRecordBytes = 64 * kKiB;
inline constexpr std::size_t kFlightConsoleBytes = 16 * kKiB;
inline constexpr std::size_t kFlightProbes = 60;
inline constexpr std::size_t kFlightProbeTextBytes = 160;
inline constexpr std::size_t kFlightsPerApp = 20;             // of one app on one device
inline constexpr std::size_t kFlightsPerDevice = 200;         // on the device itself
inline constexpr std::uint64_t kFlightsBytes = 1024 * kMiB;   // all of them, on the controller
inline constexpr std::size_t kTrapKindBytes = 64;
inline constexpr std::size_t kTrapRegisters = 40;
inline constexpr std::size_t kTrapNameBytes = 12;
inline constexpr std::size_t kTrapDigits = 16;                // behind 0x: 64 bits

// The launcher (agent/launcher): fixed-size messages over SOCK_SEQPACKET.
inline constexpr std::size_t kMaxLauncherMessageBytes = 128 * kKiB;
// Every address of a /24, the managed bridge's default: live guests, trials, spares and those that
// drain. User ids, taps and cgroups are numbered by it.
inline constexpr std::size_t kMaxInstances = 256;
inline constexpr std::size_t kMaxArguments = 128;

}  // namespace proto
