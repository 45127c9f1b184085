"""One thin module for each AWS service that the functions talk to; none of them decides anything."""
