"""The memory that each kind of child may take, and how many of a kind run at a time."""

# With the libraries, of an inspection.
TABLE_INSPECTION = 1_500_000_000
MODEL_INSPECTION = 2_000_000_000  # on top of `FILE_COPIES` times the file
FOLDER_INSPECTION = 1_000_000_000  # on top of `FILE_COPIES` times the graph
DESCRIPTION = 2_000_000_000
FILE_COPIES = 4

TABLE_STEP = 1_500_000_000  # of a batch job's child, beside its libraries

TABLE_INSPECTIONS = 2
MODEL_INSPECTIONS = 2
DESCRIPTIONS = 2
