"""Small random networks of all options of torch's layers and of what people write in `forward`, and laws that hold for each.

`python -m tests.generated 2000` tries that many and reports which options were hit.
"""
