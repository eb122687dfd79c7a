// Writes the seeds of device_tree_fuzz into a folder:
// device_tree_corpus tests/fuzz/corpus/device_tree
#include <cstdio>
#include <fstream>
#include <string>

#include "tests/unit/images_runtime/tree_writer.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: device_tree_corpus FOLDER\n", stderr);
    return 2;
  }
  for (const std::uint32_t devices : {0U, 1U, 4U}) {
    std::ofstream file(std::string(argv[1]) + "/virt-" + std::to_string(devices), std::ios::binary);
    file << images::runtime::virt_tree(devices).bytes();
    if (!file.flush()) return 1;
  }
  return 0;
}
