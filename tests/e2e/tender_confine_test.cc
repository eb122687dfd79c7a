// What Landlock takes from a tender, by its effect: the kernel shows no other sign of it. Runs
// where the kernel has it on; lab_launcher_test.sh boots such a machine.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "agent/tenders/confine.h"

namespace e2e {
namespace {

/// What a process may do with files. One bit for each.
unsigned rights() {
  unsigned may = 0;
  const int status = ::open("/proc/self/status", O_RDONLY | O_CLOEXEC);
  if (status >= 0) may |= 1;
  if (::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC) >= 0) may |= 2;
  if (::open("/tmp/confined", O_WRONLY | O_CREAT | O_CLOEXEC, 0600) >= 0) may |= 4;
  if (::mkdir("/tmp/confined.d", 0700) == 0 && ::rmdir("/tmp/confined.d") == 0) may |= 8;
  const pid_t child = ::fork();
  if (child == 0) {
    ::execl("/bin/true", "true", nullptr);
    ::_exit(1);
  }
  int ended = 0;
  if (::waitpid(child, &ended, 0) == child && ended == 0) may |= 16;
  return may;
}

TEST(TenderConfine, FilesAreForbiddenButForWhatIsOpen) {
  ASSERT_EQ(rights(), 31u);
  const pid_t child = ::fork();
  if (child == 0) {
    const std::array kept = {::open("/proc/self/cmdline", O_RDONLY)};
    const int other = ::open("/proc/self/cmdline", O_RDONLY);
    tenders::Failure failure;
    if (!tenders::confine(kept, failure)) ::_exit(100);
    char byte = 0;
    if (::read(kept[0], &byte, 1) != 1) ::_exit(101);
    if (::read(other, &byte, 1) != -1 || errno != EBADF) ::_exit(102);
    ::_exit(static_cast<int>(rights()));
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0) << "a bit for each right that it still has; from 100 on: steps";
}

}  // namespace
}  // namespace e2e
