"""What can be wrong with a ticket.

TicketError
├─ TicketUnknown                        no such ticket, or no longer, or another caller's
└─ TicketsUnavailable                   a ticket cannot be kept now
"""

from models.foundation.errors import ImageSearchError
from models.foundation.messages import Readable, message


class TicketError(ImageSearchError):
    """Something about a download that is fetched later."""

    code = "ticket_error"


class TicketUnknown(TicketError):
    """There is no such ticket, or no longer, or another caller asked for it."""

    code = "ticket_unknown"
    users_mistake = True

    def __init__(self) -> None:
        super().__init__(
            message("This download is not there, or no longer. Ask for it again: POST /v1/archive?ticket=true")
        )


class TicketsUnavailable(TicketError):
    """A ticket cannot be kept, for a reason of the system."""

    code = "tickets_unavailable"

    def __init__(self, why: Readable) -> None:
        super().__init__(
            message("The download cannot be kept ready: {why}. Ask for it without a ticket: POST /v1/archive", why=why)
        )
