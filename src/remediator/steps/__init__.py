"""Does one checkpointed act of the story in each module: it reads, asks the core, and writes."""
