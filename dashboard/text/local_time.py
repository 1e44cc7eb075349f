"""What is said of a time of a place's clocks that is none, or two?"""

NOT_A_TIME = "Write the time like 24 Dec 2026 20:00."
NO_SUCH_TIME = "There is no {time} on that day, because the clocks go forward. Write a time before or after that hour."
TWICE = (
    "{time} comes twice on that day, because the clocks go back. Write {first} for the first, {second} for the second."
)
OTHER_NAME = "The clocks there do not show {mark} then, but {named}. Correct it, or leave it out."
